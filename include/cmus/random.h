/* Random numbers by counter: the same key gives the same numbers on every machine, rank, thread and day.
 *
 * A key is made from the seed, the purpose (a text) and the ids of what the number is for (epoch, case, image, layer).
 * Element i of a key is splitmix64's output i (Steele, Lea, Flood 2014), so numbers can be drawn in any order.
 */
#ifndef CMUS_RANDOM_H
#define CMUS_RANDOM_H

#include <stdint.h>

/* FNV-1a, 64 bits, of a text; turns a case id into a number for a key. */
uint64_t cmus_hash_text(const char *text);

/* splitmix64's finalizer of key + (index + 1) * 0x9E3779B97F4A7C15. */
uint64_t cmus_random_at(uint64_t key, uint64_t index);

/* Mixes seed, purpose and `count` ids into a key. */
uint64_t cmus_random_key(uint64_t seed, const char *purpose, const uint64_t *ids, int count);

/* Element `index` as a double in [0, 1), 53 bits. */
double cmus_uniform_at(uint64_t key, uint64_t index);

/* A sequence on top of a key, for code that draws one number after another. */
typedef struct cmus_random {
    uint64_t key, next;
} cmus_random;

cmus_random cmus_random_begin(uint64_t seed, const char *purpose, const uint64_t *ids, int count);
/* [0, 1) */
double cmus_random_uniform(cmus_random *random);
/* [low, high) */
double cmus_random_between(cmus_random *random, double low, double high);
/* Mean 0, standard deviation 1 (Box-Muller). */
double cmus_random_normal(cmus_random *random);
/* 0 ... bound - 1, without bias; bound >= 1. */
uint64_t cmus_random_below(cmus_random *random, uint64_t bound);

/* Shuffles `order` [count] in place (Fisher-Yates). */
void cmus_random_shuffle(cmus_random *random, int *order, int count);

#endif
