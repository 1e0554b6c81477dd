/* Adam with amsgrad, one fused pass over the flat buffers: torch.optim.Adam(amsgrad=True). */
#ifndef CMUS_ADAM_H
#define CMUS_ADAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct cmus_adam {
    double lr, beta1, beta2, epsilon;
    double weight_decay; /* L2, added to the gradient */
} cmus_adam;

/* beta 0.9 and 0.999, eps 1e-8, weight decay 5e-5, lr 5e-5 */
cmus_adam cmus_adam_published(void);

/* One update, `step` from 1. All buffers: [count]; first, second and second_max are the moments, zero before step 1.
 * The gradient is 0 afterwards, ready for the next one: a pass over it saved. */
void cmus_adam_update(const cmus_adam *adam, int64_t step, size_t count, float *weights, float *gradient, float *first,
                      float *second, float *second_max);

/* sqrt of the sum of squares in double, in chunks of a fixed size: the same on any number of threads. Of the gradient,
 * which is looked at before an update. */
double cmus_norm(const float *values, size_t count);

#endif
