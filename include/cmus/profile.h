/* Where the time of a step goes: seconds and floating-point operations by operation, and the list of its matrix
 * products.
 *
 * Off by default: a call then costs one load. It sees the thread that turned it on and no other; so call it where
 * parallel regions are opened, not inside them. Operations may contain operations: each has its seconds with what it
 * contains and without (own). A phase of a step ("forward") is an operation that contains the others. Not collective.
 */
#ifndef CMUS_PROFILE_H
#define CMUS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* out [m, n] = op(left) [m, k] op(right) [k, n], added to what is there if `accumulate`. ld_...: floats from one stored
 * row to the next. */
typedef struct cmus_product_shape {
    bool transpose_left, transpose_right;
    int m, n, k;
    int ld_left, ld_right, ld_out;
    bool accumulate;
} cmus_product_shape;

bool cmus_product_same(const cmus_product_shape *a, const cmus_product_shape *b);
/* 2 m n k */
double cmus_product_flops(const cmus_product_shape *shape);

typedef struct cmus_profile_operation {
    const char *name;
    int64_t calls;
    double seconds;    /* with the operations inside it */
    double own;        /* without them */
    double flops;      /* that had to be done */
    double recomputed; /* FLOPs that were done once more */
} cmus_profile_operation;

typedef struct cmus_profile_product_row {
    cmus_product_shape shape;
    int64_t count;      /* products that had to be done */
    int64_t recomputed; /* and those that were done once more */
    double seconds;     /* of all of them: of the operations that they were recorded in */
} cmus_profile_product_row;

/* Turns it on or off for the calling thread; only one thread may have it on. What was recorded stays. */
void cmus_profile_enable(bool on);
/* Forgets what was recorded; not inside an operation. */
void cmus_profile_reset(void);

/* Begins an operation: the time, or 0 when off. Every begin is ended by the same thread, the innermost first. */
double cmus_profile_begin(void);
/* Adds the seconds since `began` and a call to the operation. The name is kept, not copied: a literal. */
void cmus_profile_end(const char *operation, double began);

/* Records one matrix product of 2 m n k FLOPs, between begin and end of its operation, which gives it its seconds: one
 * product an operation. */
void cmus_profile_product(const cmus_product_shape *shape);
/* Adds FLOPs that no product of the list stands for. */
void cmus_profile_flops(const char *operation, double flops);
/* From now on FLOPs and products count as recomputed (or not): as done once more what need not have been done if
 * everything had been kept. Returns what held before. */
bool cmus_profile_recomputing(bool on);

/* FLOPs that had to be done, recomputed ones left out. */
double cmus_profile_needed_flops(void);
/* Copies of the tables, free with cmus_free(): operations by own seconds, products by FLOPs (2 m n k count), the
 * largest first. */
cmus_profile_operation *cmus_profile_operations(size_t *count);
cmus_profile_product_row *cmus_profile_products(size_t *count);

#endif
