/* What a fold's training will need, in its order, as far as the seed and the configuration tell: for the prefetch. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/sampler.h"
#include "trainer_internal.h"

bool cmus_trainer_ends(const cmus_trainer *trainer, cmus_position position) {
    const cmus_config *config = trainer->config;
    return position.epoch >= config->epochs || (config->max_updates && position.step >= config->max_updates);
}

bool cmus_trainer_evaluates(const cmus_trainer *trainer, int epoch, int64_t step) {
    const cmus_config *config = trainer->config;
    bool last = cmus_trainer_ends(trainer, (cmus_position){.epoch = epoch + 1, .step = step});
    return trainer->held_out_count > 0 && config->eval_every > 0 && ((epoch + 1) % config->eval_every == 0 || last);
}

int cmus_trainer_updates_per_epoch(const cmus_trainer *trainer) {
    return (trainer->training_count + trainer->config->batch - 1) / trainer->config->batch;
}

int cmus_trainer_cases_done(const cmus_trainer *trainer, cmus_position position) {
    int64_t updates = position.step - (int64_t)position.epoch * cmus_trainer_updates_per_epoch(trainer);
    int64_t cases = updates * trainer->config->batch;
    return cases < trainer->training_count ? (int)cases : trainer->training_count; /* the last batch may be smaller */
}

int *cmus_trainer_order(const cmus_trainer *trainer, int epoch) {
    size_t count = (size_t)trainer->training_count;
    int *order = cmus_allocate(count, sizeof(int));
    memcpy(order, trainer->training, count * sizeof(int));
    cmus_epoch_order(trainer->config->seed, epoch, order, trainer->training_count);
    return order;
}

void cmus_trainer_plan(cmus_trainer *trainer) {
    const cmus_config *config = trainer->config;
    cmus_position *planned = &trainer->planned;
    bool evaluate = trainer->held_out_count > 0;
    if (!cmus_trainer_ends(trainer, *planned)) {
        int *order = cmus_trainer_order(trainer, planned->epoch);
        int done = cmus_trainer_cases_done(trainer, *planned);
        for (int begin = done; begin < trainer->training_count; begin += config->batch) {
            if (config->max_updates && planned->step >= config->max_updates)
                break;
            int left = trainer->training_count - begin, count = left < config->batch ? left : config->batch;
            cmus_prefetch_add(trainer->prefetch, order + begin, count, planned->epoch);
            planned->step++;
        }
        cmus_free(order);
        evaluate = cmus_trainer_evaluates(trainer, planned->epoch, planned->step);
        planned->epoch++;
    }
    if (evaluate)
        cmus_prefetch_add(trainer->prefetch, trainer->held_out, trainer->held_out_count, -1);
}
