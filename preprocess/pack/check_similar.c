/* Images with similar pixels: the same picture stored again, brighter, smaller or cut a little.
 *
 * Candidates are pairs whose perceptual hashes differ in few bits. Of BLOCKS parts of such hashes one at least is
 * equal, so only images in the same bucket of a part are compared (multi-index hashing: M. Norouzi, A. Punjani, D.
 * Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012).
 *
 * Then the details of the two must correlate, so that pictures of one outline, smooth or dark ones do not alarm: means
 * over a grid in a band between the finest, which is noise, and the outline. A picture that was cut has moved, so one
 * is laid over the other also moved a little.
 *
 * Images that are found similar make groups, in which no further pair is looked at: a picture stored a thousand times
 * is said a thousand times, not a million.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_parts.h"
#include "cmus/memory.h"

/* Chosen on drawn and on real images: results/data_builder.md. */
enum { BITS_APART = 8 };
static const double CORRELATION = 0.75;

enum {
    BLOCKS = BITS_APART + 1,
    BLOCK_BITS = 64 / BLOCKS, /* the last block has all that are left */
    BUCKETS = 256,
    TRIES = 16, /* of an image with others that turn out to be different */
    SIDE = 64,  /* of the grid */
    FINE = 1,   /* cells to each side that are one with a cell */
    COARSE = 3, /* and those whose mean is taken off */
    SHIFT = 2,  /* cells */
    CELLS = SIDE * SIDE
};

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) /* its run time is not there yet when a clone is picked */
#define EACH_FAMILY __attribute__((target_clones("popcnt", "default")))
#else
#define EACH_FAMILY
#endif

/* All items by one part of their hashes; within a bucket in the order of the items. */
typedef struct block {
    uint64_t *hashes; /* [count] */
    size_t *items;    /* [count] */
    size_t end[BUCKETS];
    size_t next[BUCKETS]; /* the first that was not looked for yet */
    size_t *run;          /* [count]: a later place such that all from this one to there are of one group, or itself */
} block;

typedef struct search {
    const cmus_check *check;
    size_t count;
    size_t *images;   /* [count] of the items */
    uint64_t *hashes; /* [count] */
    size_t *parent;   /* [count]: towards the first of its group */
    block blocks[BLOCKS];
    uint8_t *gray;          /* [image_size][image_size] */
    float *details, *other; /* [CELLS]: of the item at hand and of one compared */
    bool has_details;
    int tries;
} search;

static size_t bucket_of(uint64_t hash, int number) {
    return (size_t)(hash >> (number * BLOCK_BITS)) & (number == BLOCKS - 1 ? BUCKETS - 1 : (1U << BLOCK_BITS) - 1);
}

static void fill_block(const search *self, int number, block *filled) {
    size_t begin = 0;
    memset(filled->end, 0, sizeof filled->end);
    filled->hashes = cmus_allocate(self->count, sizeof *filled->hashes);
    filled->items = cmus_allocate(self->count, sizeof *filled->items);
    filled->run = cmus_allocate(self->count, sizeof *filled->run);
    for (size_t i = 0; i < self->count; i++)
        filled->end[bucket_of(self->hashes[i], number)]++;
    for (int b = 0; b < BUCKETS; b++) {
        filled->next[b] = begin;
        begin += filled->end[b];
        filled->end[b] = filled->next[b];
    }
    for (size_t i = 0; i < self->count; i++) {
        size_t place = filled->end[bucket_of(self->hashes[i], number)]++;
        filled->hashes[place] = self->hashes[i];
        filled->items[place] = i;
        filled->run[place] = place;
    }
}

/* The first place from `place` on with a hash that is close; `end`: none. */
EACH_FAMILY static size_t find_close(const uint64_t *hashes, size_t place, size_t end, uint64_t hash) {
    while (place < end && __builtin_popcountll(hashes[place] ^ hash) > BITS_APART)
        place++;
    return place;
}

static size_t find_group(search *self, size_t item) {
    while (self->parent[item] != item) {
        self->parent[item] = self->parent[self->parent[item]];
        item = self->parent[item];
    }
    return item;
}

/* Mean of the cells up to `reach` away; beyond the border the cells repeat. */
static float mean_around(const int32_t cells[CELLS], int y, int x, int reach) {
    int64_t sum = 0;
    for (int i = y - reach; i <= y + reach; i++)
        for (int j = x - reach; j <= x + reach; j++) {
            int row = i < 0 ? 0 : i >= SIDE ? SIDE - 1 : i, column = j < 0 ? 0 : j >= SIDE ? SIDE - 1 : j;
            sum += cells[row * SIDE + column];
        }
    return (float)sum / (float)((2 * reach + 1) * (2 * reach + 1));
}

static cmus_status load(search *self, size_t item, float *details) {
    int32_t cells[CELLS];
    CMUS_TRY(self->check->give(self->check->data, self->images[item], self->gray));
    cmus_measure_means(self->gray, self->check->image_size, SIDE, cells);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            details[y * SIDE + x] = mean_around(cells, y, x, FINE) - mean_around(cells, y, x, COARSE);
    return CMUS_OK;
}

/* Of the cells that both have when b is moved down by `down` and right by `right`. */
static double correlate(const float *a, const float *b, int down, int right) {
    double products = 0, squares_a = 0, squares_b = 0, sum_a = 0, sum_b = 0;
    double count = (double)(SIDE - abs(down)) * (SIDE - abs(right));
    for (int y = down > 0 ? down : 0; y < SIDE && y < SIDE + down; y++)
        for (int x = right > 0 ? right : 0; x < SIDE && x < SIDE + right; x++) {
            double one = a[y * SIDE + x], other = b[(y - down) * SIDE + x - right];
            products += one * other;
            squares_a += one * one;
            squares_b += other * other;
            sum_a += one;
            sum_b += other;
        }
    double spread = (squares_a - sum_a * sum_a / count) * (squares_b - sum_b * sum_b / count);
    return spread > 0 ? (products - sum_a * sum_b / count) / sqrt(spread) : 0;
}

static double best_correlation(const float *a, const float *b) {
    double best = -1;
    for (int down = -SHIFT; down <= SHIFT; down++)
        for (int right = -SHIFT; right <= SHIFT; right++)
            best = fmax(best, correlate(a, b, down, right));
    return best;
}

static void report(const search *self, size_t item, size_t other, double correlation) {
    const cmus_check *check = self->check;
    size_t image = self->images[item], like = self->images[other];
    const cmus_source_case *one = cmus_check_case(check, image), *second = cmus_check_case(check, like);
    const char *place = check->list->images[image].shown, *shown = check->list->images[like].shown;
    if (strcmp(one->patient_id, second->patient_id) != 0)
        cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                          "looks like %s of another patient's case %s (correlation %.2f)", shown, second->case_id,
                          correlation);
    else if (cmus_check_share_case(check, image, like))
        cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                          "looks like %s of the same case (correlation %.2f)", shown, correlation);
    else
        cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                          "looks like %s of this patient's case %s (correlation %.2f)", shown, second->case_id,
                          correlation);
}

/* Two items whose hashes are close. */
static cmus_status confirm(search *self, size_t item, size_t other) {
    if (!self->has_details)
        CMUS_TRY(load(self, item, self->details));
    self->has_details = true;
    CMUS_TRY(load(self, other, self->other));
    double correlation = best_correlation(self->details, self->other);
    if (correlation < CORRELATION) {
        self->tries++;
        return CMUS_OK;
    }
    self->parent[find_group(self, other)] = find_group(self, item);
    report(self, other, item, correlation);
    return CMUS_OK;
}

/* Whether the two were compared already, by an earlier part that is equal. */
static bool met_before(uint64_t a, uint64_t b, int number) {
    for (int i = 0; i < number; i++)
        if (bucket_of(a, i) == bucket_of(b, i))
            return true;
    return false;
}

/* The last place before `end` of the run of items of one group that goes on at `place`. Groups only grow, so that runs
 * are kept: the many items of a large group are not stepped through once for each of them. */
static size_t end_run(search *self, block *part, size_t place, size_t end) {
    size_t last = place, group = find_group(self, part->items[place]);
    for (;;) {
        while (part->run[last] != last)
            last = part->run[last];
        if (last + 1 >= end || find_group(self, part->items[last + 1]) != group)
            break;
        part->run[last] = last + 1;
    }
    for (size_t next; place != last; place = next) { /* the next search goes there in one step */
        next = part->run[place];
        part->run[place] = last;
    }
    return last;
}

/* All later items that are close to it. */
static cmus_status look_for(search *self, size_t item) {
    uint64_t hash = self->hashes[item];
    self->has_details = false;
    self->tries = 0;
    for (int number = 0; number < BLOCKS; number++) {
        block *part = &self->blocks[number];
        size_t bucket = bucket_of(hash, number), end = part->end[bucket];
        size_t place = ++part->next[bucket]; /* behind the item itself */
        while (self->tries < TRIES && (place = find_close(part->hashes, place, end, hash)) < end) {
            size_t other = part->items[place];
            if (find_group(self, item) == find_group(self, other))
                place = end_run(self, part, place, end);
            else if (!met_before(hash, self->hashes[other], number))
                CMUS_TRY(confirm(self, item, other));
            place++;
        }
    }
    return CMUS_OK;
}

static cmus_status look_for_all(search *self) {
    for (size_t i = 0; i < self->count; i++)
        CMUS_TRY(look_for(self, i));
    return CMUS_OK;
}

cmus_status cmus_check_similar(const cmus_check *check, const bool *single) {
    size_t images = check->list->image_count, pixels = (size_t)check->image_size * (size_t)check->image_size;
    search self = {.check = check};
    self.images = cmus_allocate(images, sizeof *self.images);
    self.hashes = cmus_allocate(images, sizeof *self.hashes);
    self.parent = cmus_allocate(images, sizeof *self.parent);
    self.gray = cmus_allocate_raw(pixels, 1);
    self.details = cmus_allocate(CELLS, sizeof *self.details);
    self.other = cmus_allocate(CELLS, sizeof *self.other);
    for (size_t i = 0; i < images; i++)
        if (single[i] && !cmus_check_is_flat(&check->prepared[i].measures)) {
            self.images[self.count] = i;
            self.parent[self.count] = self.count;
            self.hashes[self.count++] = check->prepared[i].measures.likeness;
        }
    for (int i = 0; i < BLOCKS; i++)
        fill_block(&self, i, &self.blocks[i]);
    cmus_status status = look_for_all(&self);
    for (int i = 0; i < BLOCKS; i++) {
        cmus_free(self.blocks[i].hashes);
        cmus_free(self.blocks[i].items);
        cmus_free(self.blocks[i].run);
    }
    cmus_free(self.images);
    cmus_free(self.hashes);
    cmus_free(self.parent);
    cmus_free(self.gray);
    cmus_free(self.details);
    cmus_free(self.other);
    return status;
}
