#include "cmus/random.h"

#include <math.h>

static const uint64_t GAMMA = 0x9E3779B97F4A7C15u;

static uint64_t finalize(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t cmus_hash_text(const char *text) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++)
        hash = (hash ^ *byte) * 0x100000001B3u;
    return hash;
}

uint64_t cmus_random_at(uint64_t key, uint64_t index) {
    return finalize(key + (index + 1) * GAMMA);
}

uint64_t cmus_random_key(uint64_t seed, const char *purpose, const uint64_t *ids, int count) {
    uint64_t key = finalize(seed + GAMMA) ^ cmus_hash_text(purpose);
    for (int i = 0; i < count; i++)
        key = finalize(key + (ids[i] + 1) * GAMMA) + (uint64_t)i;
    return finalize(key);
}

double cmus_uniform_at(uint64_t key, uint64_t index) {
    return (double)(cmus_random_at(key, index) >> 11) * 0x1p-53;
}

cmus_random cmus_random_begin(uint64_t seed, const char *purpose, const uint64_t *ids, int count) {
    return (cmus_random){.key = cmus_random_key(seed, purpose, ids, count)};
}

double cmus_random_uniform(cmus_random *random) {
    return cmus_uniform_at(random->key, random->next++);
}

double cmus_random_between(cmus_random *random, double low, double high) {
    return low + (high - low) * cmus_random_uniform(random);
}

double cmus_random_normal(cmus_random *random) {
    static const double TWO_PI = 6.283185307179586;
    double u = 1.0 - cmus_random_uniform(random); /* (0, 1]: the logarithm is finite */
    double v = cmus_random_uniform(random);
    return sqrt(-2.0 * log(u)) * cos(TWO_PI * v);
}

uint64_t cmus_random_below(cmus_random *random, uint64_t bound) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, draw;
    do
        draw = cmus_random_at(random->key, random->next++);
    while (draw >= limit);
    return draw % bound;
}

void cmus_random_shuffle(cmus_random *random, int *order, int count) {
    for (int i = count - 1; i > 0; i--) {
        int j = (int)cmus_random_below(random, (uint64_t)i + 1);
        int kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
