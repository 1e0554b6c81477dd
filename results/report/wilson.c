#include "report/wilson.h"

#include <math.h>

void report_wilson(size_t right, size_t cases, double *low, double *high) {
    const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */
    double n = (double)cases, share = (double)right / n, grown = 1 + z * z / n;
    double centre = (share + z * z / (2 * n)) / grown;
    double half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / grown;
    *low = right ? fmax(centre - half, 0) : 0; /* exact at the ends, where rounding would leave 1e-17 */
    *high = right < cases ? fmin(centre + half, 1) : 1;
}
