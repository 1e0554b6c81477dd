/* t-SNE: points of many dimensions laid out in the plane so that near ones stay near (van der Maaten and Hinton,
 * "Visualizing data using t-SNE", JMLR 9, 2008), exact, with the settings of scikit-learn: 250 steps with the
 * attraction times 12 and momentum 0.5, then 750 with momentum 0.8; the first step starts from the two main components
 * of the points. Pure functions; the number of threads does not change a bit of the result.
 *
 * Time and memory grow with the square of the number of points: 2000 points take 64 MB.
 */
#ifndef CMUS_REPORT_TSNE_H
#define CMUS_REPORT_TSNE_H

#include <stddef.h>
#include <stdint.h>

enum { REPORT_TSNE_FEWEST = 4 }; /* points that can be laid out */

/* The perplexity (how many neighbours count) for this many points: 30, less for fewer than 91, as each point must have
 * three times as many others. count >= REPORT_TSNE_FEWEST. */
double report_tsne_perplexity(size_t count);

/* Lays out points [count][dimensions] (finite; Euclidean distances): places [count][2], centred on 0, in no unit. The
 * seed breaks ties only, such as those between equal points. Returns the Kullback-Leibler divergence that is left, in
 * nats. count >= REPORT_TSNE_FEWEST, dimensions >= 1. */
double report_tsne(const float *points, size_t count, size_t dimensions, double perplexity, uint64_t seed,
                   double *places);

/* The divergence of any places for these points, which report_tsne() makes small. */
double report_tsne_divergence(const float *points, size_t count, size_t dimensions, double perplexity,
                              const double *places);

#endif
