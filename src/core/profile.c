#include "cmus/profile.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

enum { MOST_NESTED = 16, NO_PRODUCT = -1 };

/* An operation that has begun. */
typedef struct open_operation {
    double inside;   /* seconds of the operations in it so far */
    double flops;    /* of its products; those that had to be done, and the others */
    double again;    /* recomputed */
    int64_t product; /* row of the product that it is, or NO_PRODUCT */
} open_operation;

static _Thread_local bool enabled;

static struct {
    open_operation open[MOST_NESTED];
    int depth;
    bool recomputing;
    double needed;
    cmus_profile_operation *operations;
    size_t operation_count, operation_room;
    cmus_profile_product_row *products;
    size_t product_count, product_room;
    int64_t *slots; /* hash table of rows + 1, open addressing; 0: free */
    size_t slot_count;
} state;

void cmus_profile_enable(bool on) {
    enabled = on;
}

void cmus_profile_reset(void) {
    cmus_free(state.operations);
    cmus_free(state.products);
    cmus_free(state.slots);
    memset(&state, 0, sizeof state);
}

double cmus_profile_begin(void) {
    if (!enabled)
        return 0;
    if (state.depth == MOST_NESTED)
        cmus_fatal("more than %d operations inside each other in the profile", MOST_NESTED);
    state.open[state.depth++] = (open_operation){.product = NO_PRODUCT};
    return cmus_seconds();
}

static cmus_profile_operation *find_operation(const char *name) {
    for (size_t i = 0; i < state.operation_count; i++)
        if (state.operations[i].name == name || strcmp(state.operations[i].name, name) == 0)
            return &state.operations[i];
    state.operations =
        cmus_grow(state.operations, &state.operation_room, state.operation_count + 1, sizeof *state.operations);
    state.operations[state.operation_count].name = name;
    return &state.operations[state.operation_count++];
}

void cmus_profile_end(const char *operation, double began) {
    if (began == 0)
        return; /* it was off at the begin */
    double elapsed = cmus_seconds() - began;
    if (state.depth == 0)
        cmus_fatal("'%s' ends in the profile without a begin", operation);
    const open_operation *own = &state.open[--state.depth];
    cmus_profile_operation *entry = find_operation(operation);
    entry->calls++;
    entry->seconds += elapsed;
    entry->own += elapsed - own->inside;
    entry->flops += own->flops;
    entry->recomputed += own->again;
    if (own->product != NO_PRODUCT)
        state.products[own->product].seconds += elapsed;
    if (state.depth > 0)
        state.open[state.depth - 1].inside += elapsed;
}

static size_t hash_shape(const cmus_product_shape *shape) {
    const int values[] = {shape->m,
                          shape->n,
                          shape->k,
                          shape->ld_left,
                          shape->ld_right,
                          shape->ld_out,
                          shape->transpose_left + 2 * shape->transpose_right + 4 * shape->accumulate};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        hash = (hash ^ (uint64_t)(unsigned)values[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return (size_t)hash;
}

bool cmus_product_same(const cmus_product_shape *a, const cmus_product_shape *b) {
    return a->m == b->m && a->n == b->n && a->k == b->k && a->ld_left == b->ld_left && a->ld_right == b->ld_right &&
           a->ld_out == b->ld_out && a->transpose_left == b->transpose_left &&
           a->transpose_right == b->transpose_right && a->accumulate == b->accumulate;
}

/* The slot of the shape, or the free one where it belongs. */
static int64_t *find_slot(const cmus_product_shape *shape) {
    size_t at = hash_shape(shape) & (state.slot_count - 1);
    while (state.slots[at] && !cmus_product_same(&state.products[state.slots[at] - 1].shape, shape))
        at = (at + 1) & (state.slot_count - 1);
    return &state.slots[at];
}

/* Twice as many slots, and all rows in them again; at most half of the slots are ever taken. */
static void grow_slots(void) {
    state.slot_count = state.slot_count ? 2 * state.slot_count : 256;
    cmus_free(state.slots);
    state.slots = cmus_allocate(state.slot_count, sizeof *state.slots);
    for (size_t i = 0; i < state.product_count; i++)
        *find_slot(&state.products[i].shape) = (int64_t)i + 1;
}

static int64_t find_product(const cmus_product_shape *shape) {
    if (2 * (state.product_count + 1) > state.slot_count)
        grow_slots();
    int64_t *slot = find_slot(shape);
    if (*slot == 0) {
        state.products =
            cmus_grow(state.products, &state.product_room, state.product_count + 1, sizeof *state.products);
        state.products[state.product_count++].shape = *shape;
        *slot = (int64_t)state.product_count;
    }
    return *slot - 1;
}

double cmus_product_flops(const cmus_product_shape *shape) {
    return 2.0 * shape->m * shape->n * shape->k;
}

void cmus_profile_product(const cmus_product_shape *shape) {
    if (!enabled)
        return;
    int64_t row = find_product(shape);
    double flops = cmus_product_flops(shape), needed = state.recomputing ? 0 : flops;
    if (state.recomputing)
        state.products[row].recomputed++;
    else
        state.products[row].count++;
    state.needed += needed;
    if (state.depth == 0)
        return;
    open_operation *own = &state.open[state.depth - 1];
    own->product = row;
    own->flops += needed;
    own->again += flops - needed;
}

void cmus_profile_flops(const char *operation, double flops) {
    if (!enabled)
        return;
    cmus_profile_operation *entry = find_operation(operation);
    double needed = state.recomputing ? 0 : flops;
    state.needed += needed;
    entry->flops += needed;
    entry->recomputed += flops - needed;
}

bool cmus_profile_recomputing(bool on) {
    bool before = state.recomputing;
    state.recomputing = on;
    return before;
}

double cmus_profile_needed_flops(void) {
    return state.needed;
}

/* `count` elements as a block of their own, sorted. */
static void *sorted_copy(const void *table, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    void *copy = cmus_allocate(count, size);
    if (count > 0) {
        memcpy(copy, table, count * size);
        qsort(copy, count, size, compare);
    }
    return copy;
}

static int larger_first(double a, double b) {
    return a < b ? 1 : a > b ? -1 : 0;
}

static int by_own_seconds(const void *a, const void *b) {
    const cmus_profile_operation *left = a, *right = b;
    int order = larger_first(left->own, right->own);
    return order ? order : strcmp(left->name, right->name);
}

static int by_flops(const void *a, const void *b) {
    const cmus_profile_product_row *left = a, *right = b;
    return larger_first(cmus_product_flops(&left->shape) * (double)left->count,
                        cmus_product_flops(&right->shape) * (double)right->count);
}

cmus_profile_operation *cmus_profile_operations(size_t *count) {
    *count = state.operation_count;
    return sorted_copy(state.operations, state.operation_count, sizeof *state.operations, by_own_seconds);
}

cmus_profile_product_row *cmus_profile_products(size_t *count) {
    *count = state.product_count;
    return sorted_copy(state.products, state.product_count, sizeof *state.products, by_flops);
}
