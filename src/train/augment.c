#include "cmus/augment.h"

#include <stddef.h>

#include "cmus/random.h"

cmus_flips cmus_draw_flips(const cmus_image_key *key) {
    uint64_t ids[] = {(uint64_t)key->epoch, key->case_hash, (uint64_t)key->modality, (uint64_t)key->image};
    uint64_t drawn = cmus_random_key(key->seed, "flip", ids, 4);
    return (cmus_flips){.horizontal = cmus_uniform_at(drawn, 0) < 0.5, .vertical = cmus_uniform_at(drawn, 1) < 0.5};
}

static float keep_or_drop(uint64_t key, uint64_t index, double probability) {
    return cmus_uniform_at(key, index) >= probability ? (float)(1.0 / (1.0 - probability)) : 0.0f;
}

void cmus_draw_depth(const cmus_image_key *key, const double *probability, int blocks, float *factors) {
    uint64_t ids[] = {(uint64_t)key->epoch, key->case_hash, (uint64_t)key->modality, (uint64_t)key->image};
    uint64_t drawn = cmus_random_key(key->seed, "depth", ids, 4);
    for (int block = 0; block < blocks; block++)
        for (int branch = 0; branch < 2; branch++)
            factors[2 * block + branch] = keep_or_drop(drawn, (uint64_t)(2 * block + branch), probability[block]);
}

void cmus_draw_dropout(uint64_t seed, int epoch, uint64_t case_hash, double probability, int hidden, float *factors) {
    uint64_t ids[] = {(uint64_t)epoch, case_hash};
    uint64_t drawn = cmus_random_key(seed, "dropout", ids, 2);
    for (int unit = 0; unit < hidden; unit++)
        factors[unit] = keep_or_drop(drawn, (uint64_t)unit, probability);
}

void cmus_normalize_image(const uint8_t *bytes, int size, cmus_flips flips, float *planes) {
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    size_t side = (size_t)size;
    ptrdiff_t step = flips.horizontal ? -3 : 3;
    for (size_t channel = 0; channel < 3; channel++) {
        float value[256];
        for (int i = 0; i < 256; i++)
            value[i] = ((float)i / 255.0f - mean[channel]) / deviation[channel];
        for (size_t row = 0; row < side; row++) {
            const uint8_t *from = bytes + 3 * side * (flips.vertical ? side - 1 - row : row) + channel;
            from += flips.horizontal ? 3 * (side - 1) : 0;
            float *to = planes + (channel * side + row) * side;
            for (size_t column = 0; column < side; column++)
                to[column] = value[from[(ptrdiff_t)column * step]];
        }
    }
}
