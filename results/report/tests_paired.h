/* Tests of two predictions of the same cases: McNemar's on right and wrong, DeLong's on areas under ROC curves, and
 * Holm's correction for several tests. Pure functions on arrays; an undefined value is NaN.
 *
 * All take the cases as independent. Where a patient has several cases they are too sure; the bootstrap over patients
 * is not.
 */
#ifndef CMUS_REPORT_TESTS_PAIRED_H
#define CMUS_REPORT_TESTS_PAIRED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct report_mcnemar {
    size_t base_only, other_only; /* cases that only one of the two gets right */
    bool exact;                   /* p by the binomial distribution; then there is no statistic (NaN) */
    double statistic;             /* chi-squared with one degree of freedom */
    double p;                     /* two-sided */
} report_mcnemar;

/* Below 25 discordant cases exact: p is twice the smaller tail of the binomial distribution with 1/2, at most 1. From
 * 25 on chi-squared with the continuity correction, (|b - c| - 1)^2 / (b + c) (McNemar 1947, Edwards 1948); it is 0
 * where b = c. */
report_mcnemar report_mcnemar_test(size_t base_only, size_t other_only);

/* Counts the discordant cases of two sets of probabilities [cases][classes], by argmax, and tests them. */
report_mcnemar report_mcnemar_cases(const double *base, const double *other, const int *labels, size_t cases,
                                    size_t classes);

typedef struct report_area_test {
    double base, other; /* areas under the ROC curves */
    double difference;  /* other - base */
    double error;       /* standard error of the difference */
    double z, p;        /* difference / error, and its two-sided p by the normal distribution */
} report_area_test;

/* DeLong's test (DeLong, DeLong, Clarke-Pearson 1988) for the AUC of each class against the rest and, last, for the
 * mean of the classes' AUCs: tests is [classes + 1]. Needs two cases of the class and two of others, else the error, z
 * and p are undefined. Two equal areas whose difference does not vary have z = 0 and p = 1; different ones that do not
 * vary have no z.
 *
 * DeLong's covariance is a sum over the cases of products of "shares": (V - A) / sqrt(m (m - 1)), with A the area, V
 * the case's placement among the cases of the other side, and m the number of cases on its own side. Shares of two
 * classes' areas are multiplied in the same way, so that the mean's variance is the sum of the squares of the classes'
 * mean shares; with two classes, whose areas are equal, it is the one of DeLong. O(cases log cases) for each class. */
void report_delong_test(const double *base, const double *other, const int *labels, size_t cases, size_t classes,
                        report_area_test *tests);

/* Holm's (1979) p-values of `count` tests taken together: sorted, the i-th smallest (from 0) times (count - i), at most
 * 1 and never below the one before it. An undefined p stays so and does not count as a test. */
void report_holm(const double *p, size_t count, double *adjusted);

#endif
