/* Adam over the ranks: gradients summed while they are computed, moments kept in shares, new weights sent to all.
 *
 * One update is: begin, the backward passes (the last of them with the passage), finish, then step and spread, or skip.
 * The weights may still be on their way after spread: a forward pass with the passage waits for each layer's;
 * cmus_optimizer_settle() waits for all.
 */
#ifndef CMUS_OPTIMIZER_H
#define CMUS_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "cmus/communicator.h"
#include "cmus/config.h"
#include "cmus/reducer.h"
#include "cmus/weights.h"

typedef struct cmus_optimizer cmus_optimizer;

/* Collective. Moments are 0. The network is one for training and must outlive the optimizer. Free it with
 * cmus_optimizer_free(), collective, NULL allowed. */
cmus_optimizer *cmus_optimizer_create(const cmus_communicator *communicator, cmus_net *net, const cmus_config *config);
void cmus_optimizer_free(cmus_optimizer *optimizer);

/* For the passes of an update; `ready` counts from cmus_optimizer_begin() on. */
const cmus_passage *cmus_optimizer_passage(cmus_optimizer *optimizer);
/* The reducer, for its statistics. */
cmus_reducer *cmus_optimizer_reducer(cmus_optimizer *optimizer);

/* Not collective. From now on `tick` is called for every layer of a pass and every part of a checkpoint, with a literal
 * that says what this rank is at: for the watchdog, as all of them together may take minutes. */
void cmus_optimizer_watch(cmus_optimizer *optimizer, void (*tick)(void *context, const char *what), void *context);

/* Not collective. Seconds that this rank has waited for gradients, and for weights, so far. */
void cmus_optimizer_waited(const cmus_optimizer *optimizer, double *gradients, double *weights);

/* Collective. Before the last backward pass of an update. */
void cmus_optimizer_begin(cmus_optimizer *optimizer);
/* Collective. The gradients of all ranks are summed; returns their sum of squares over the whole network, or NaN if it
 * is not finite or a value was too large for exact sums: the same on every rank. */
double cmus_optimizer_finish(cmus_optimizer *optimizer);
/* Not collective. Adam's update number `step`, from 1, of this rank's share of the weights; all gradients are 0
 * afterwards. */
void cmus_optimizer_step(cmus_optimizer *optimizer, double lr, int64_t step);
/* Collective. Sends the shares' new weights to all ranks. */
void cmus_optimizer_spread(cmus_optimizer *optimizer);
/* Not collective. In place of a step: forgets the gradients. */
void cmus_optimizer_skip(cmus_optimizer *optimizer);
/* Collective. All weights are here. */
void cmus_optimizer_settle(cmus_optimizer *optimizer);

/* Collective, as `use` is called on rank 0 alone while the others give or take their shares: the moments as a whole,
 * for a checkpoint. The status is that of `use`, on rank 0. */
typedef cmus_status cmus_moments_use(const cmus_moments *moments, void *data);
cmus_status cmus_optimizer_moments(cmus_optimizer *optimizer, cmus_moments_use *use, void *data);

#endif
