#include "report/metric_table.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "report/metric_curve.h"

struct report_table {
    size_t cases, classes;
    uint32_t *ranked;         /* [classes][cases], as metric_curve.h has them */
    uint32_t *cell;           /* [cases]: place in the confusion matrix */
    uint8_t *bin;             /* [cases]: calibration bin */
    double *top;              /* [cases]: largest probability */
    double *brier, *log_loss; /* [cases]: terms of the means */
};

typedef struct scored {
    double score;
    uint32_t row;
} scored;

static int by_descending_score(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static void rank_class(report_table *table, const double *probabilities, const int *labels, size_t class_index,
                       scored *room) {
    size_t cases = table->cases, classes = table->classes;
    for (size_t i = 0; i < cases; i++)
        room[i] = (scored){probabilities[i * classes + class_index], (uint32_t)i};
    qsort(room, cases, sizeof *room, by_descending_score);
    uint32_t *ranked = table->ranked + class_index * cases;
    for (size_t i = 0; i < cases; i++) {
        ranked[i] = room[i].row;
        if ((size_t)labels[room[i].row] == class_index)
            ranked[i] |= REPORT_RANKED_POSITIVE;
        if (i + 1 == cases || room[i + 1].score < room[i].score)
            ranked[i] |= REPORT_RANKED_LAST;
    }
}

/* -ln p(true class) with p as scikit-learn's log_loss() takes it: kept off 0 and 1 by the rounding unit, and divided by
 * the sum of the row. */
static double log_loss_of(const double *probabilities, size_t classes, size_t label) {
    double sum = 0;
    for (size_t j = 0; j < classes; j++)
        sum += fmin(fmax(probabilities[j], DBL_EPSILON), 1 - DBL_EPSILON);
    return -log(fmin(fmax(probabilities[label], DBL_EPSILON), 1 - DBL_EPSILON) / sum);
}

static void prepare_case(report_table *table, const double *probabilities, size_t row, size_t label) {
    size_t predicted = report_argmax(probabilities, table->classes);
    table->cell[row] = (uint32_t)(label * table->classes + predicted);
    table->top[row] = probabilities[predicted];
    table->bin[row] = (uint8_t)report_calibration_bin(probabilities[predicted]);
    for (size_t j = 0; j < table->classes; j++)
        table->brier[row] += (probabilities[j] - (j == label)) * (probabilities[j] - (j == label));
    table->log_loss[row] = log_loss_of(probabilities, table->classes, label);
}

report_table *report_table_create(const double *probabilities, const int *labels, size_t cases, size_t classes) {
    if (cases >> REPORT_RANKED_BITS)
        cmus_fatal("%zu cases are too many for a table of metrics", cases);
    report_table *table = cmus_allocate(1, sizeof *table);
    table->cases = cases;
    table->classes = classes;
    table->ranked = cmus_allocate_raw(cases * classes, sizeof *table->ranked);
    table->cell = cmus_allocate_raw(cases, sizeof *table->cell);
    table->bin = cmus_allocate_raw(cases, sizeof *table->bin);
    table->top = cmus_allocate_raw(cases, sizeof *table->top);
    table->brier = cmus_allocate(cases, sizeof *table->brier);
    table->log_loss = cmus_allocate_raw(cases, sizeof *table->log_loss);
    scored *room = cmus_allocate_raw(cases, sizeof *room);
    for (size_t i = 0; i < classes; i++)
        rank_class(table, probabilities, labels, i, room);
    cmus_free(room);
    for (size_t i = 0; i < cases; i++)
        prepare_case(table, probabilities + i * classes, i, (size_t)labels[i]);
    return table;
}

void report_table_free(report_table *table) {
    if (!table)
        return;
    cmus_free(table->ranked);
    cmus_free(table->cell);
    cmus_free(table->bin);
    cmus_free(table->top);
    cmus_free(table->brier);
    cmus_free(table->log_loss);
    cmus_free(table);
}

/* Counts of one draw. */
typedef struct counts {
    size_t classes;
    uint64_t all, right, *confusion, *support, *predicted; /* [classes][classes], [classes], [classes] */
} counts;

static double ratio(uint64_t part, uint64_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

/* Sums over the cases: the counts, and the metrics that are means over cases. */
static void sum_cases(const report_table *table, const uint32_t *weights, counts *sums, double *values) {
    uint64_t in_bin[REPORT_CALIBRATION_BINS] = {0}, right_in_bin[REPORT_CALIBRATION_BINS] = {0};
    double top_in_bin[REPORT_CALIBRATION_BINS] = {0}, brier = 0, log_loss = 0, error = 0;
    for (size_t i = 0; i < table->cases; i++) {
        uint64_t weight = weights ? weights[i] : 1;
        if (!weight)
            continue;
        size_t cell = table->cell[i], bin = table->bin[i];
        sums->confusion[cell] += weight;
        sums->all += weight;
        in_bin[bin] += weight;
        if (cell % (table->classes + 1) == 0) /* on the diagonal */
            right_in_bin[bin] += weight;
        top_in_bin[bin] += (double)weight * table->top[i];
        brier += (double)weight * table->brier[i];
        log_loss += (double)weight * table->log_loss[i];
    }
    for (size_t i = 0; i < REPORT_CALIBRATION_BINS; i++) {
        error += fabs((double)right_in_bin[i] - top_in_bin[i]);
        sums->right += right_in_bin[i];
    }
    double all = sums->all ? (double)sums->all : NAN;
    values[REPORT_METRIC_ECE] = error / all;
    values[REPORT_METRIC_BRIER] = brier / all;
    values[REPORT_METRIC_LOG_LOSS] = log_loss / all;
}

static void sum_classes(counts *sums) {
    for (size_t i = 0; i < sums->classes; i++)
        for (size_t j = 0; j < sums->classes; j++) {
            sums->support[i] += sums->confusion[i * sums->classes + j];
            sums->predicted[j] += sums->confusion[i * sums->classes + j];
        }
}

static void compute_class(const counts *sums, size_t class_index, double *values) {
    uint64_t hits = sums->confusion[class_index * (sums->classes + 1)];
    uint64_t support = sums->support[class_index], predicted = sums->predicted[class_index];
    uint64_t negatives = sums->all - support, false_positives = predicted - hits;
    values[REPORT_CLASS_PRECISION] = !support ? NAN : predicted ? ratio(hits, predicted) : 0;
    values[REPORT_CLASS_RECALL] = ratio(hits, support);
    values[REPORT_CLASS_SPECIFICITY] = ratio(negatives - false_positives, negatives);
    values[REPORT_CLASS_F1] = support ? ratio(2 * hits, support + predicted) : NAN;
}

/* Cohen's kappa and Matthews' correlation, from the products of the margins (Gorodkin 2004, formula 8). */
static void compute_agreement(const counts *sums, double *values) {
    double all = (double)sums->all, both = 0, truth = 0, predicted = 0;
    for (size_t i = 0; i < sums->classes; i++) {
        double t = (double)sums->support[i], p = (double)sums->predicted[i];
        both += t * p;
        truth += t * t;
        predicted += p * p;
    }
    double gain = (double)sums->right * all - both, most = all * all - both;
    double spread_truth = all * all - truth, spread_predicted = all * all - predicted;
    values[REPORT_METRIC_KAPPA] = most > 0 ? gain / most : NAN;
    values[REPORT_METRIC_MCC] = !(spread_truth > 0)    ? NAN
                                : spread_predicted > 0 ? gain / sqrt(spread_truth * spread_predicted)
                                                       : 0;
}

/* Mean of one metric over the classes. */
static double macro_mean(const double *values, size_t classes, report_class_metric metric) {
    double sum = 0;
    for (size_t i = 0; i < classes; i++)
        sum += values[report_class_metric_index(i, metric)];
    return sum / (double)classes;
}

static void compute_curves(const report_table *table, const uint32_t *weights, const counts *sums, double *values) {
    size_t cases = table->cases, classes = table->classes;
    report_curve *curves = cmus_allocate(classes, sizeof *curves);
    report_corner *corners = cmus_allocate_raw((cases + 1) * classes, sizeof *corners);
    for (size_t i = 0; i < classes; i++) {
        curves[i] = (report_curve){.positives = sums->support[i],
                                   .negatives = sums->all - sums->support[i],
                                   .corners = corners + i * (cases + 1)};
        report_curve_walk(table->ranked + i * cases, cases, weights, &curves[i]);
        values[report_class_metric_index(i, REPORT_CLASS_AUC)] = curves[i].area;
    }
    values[REPORT_METRIC_AVERAGED_ROC] = report_curve_averaged_area(curves, classes);
    cmus_free(corners);
    cmus_free(curves);
}

static void compute_means(const counts *sums, double *values) {
    size_t classes = sums->classes;
    double weighted = 0;
    for (size_t i = 0; i < classes; i++)
        if (sums->support[i])
            weighted += (double)sums->support[i] * values[report_class_metric_index(i, REPORT_CLASS_F1)];
    values[REPORT_METRIC_ACCURACY] = ratio(sums->right, sums->all);
    values[REPORT_METRIC_MACRO_AUC] = macro_mean(values, classes, REPORT_CLASS_AUC);
    values[REPORT_METRIC_MACRO_F1] = macro_mean(values, classes, REPORT_CLASS_F1);
    values[REPORT_METRIC_MACRO_PRECISION] = macro_mean(values, classes, REPORT_CLASS_PRECISION);
    values[REPORT_METRIC_MACRO_RECALL] = macro_mean(values, classes, REPORT_CLASS_RECALL);
    values[REPORT_METRIC_BALANCED_ACCURACY] = values[REPORT_METRIC_MACRO_RECALL];
    values[REPORT_METRIC_MACRO_SPECIFICITY] = macro_mean(values, classes, REPORT_CLASS_SPECIFICITY);
    values[REPORT_METRIC_WEIGHTED_F1] = sums->all ? weighted / (double)sums->all : NAN;
}

void report_table_metrics(const report_table *table, const uint32_t *weights, double *values) {
    size_t classes = table->classes;
    uint64_t *room = cmus_allocate(classes * classes + 2 * classes, sizeof *room);
    counts sums = {.classes = classes,
                   .confusion = room,
                   .support = room + classes * classes,
                   .predicted = room + classes * classes + classes};
    sum_cases(table, weights, &sums, values);
    sum_classes(&sums);
    for (size_t i = 0; i < classes; i++)
        compute_class(&sums, i, values + report_class_metric_index(i, 0));
    compute_curves(table, weights, &sums, values);
    compute_agreement(&sums, values);
    compute_means(&sums, values);
    cmus_free(room);
}

void report_table_summarize(const report_table *table, report_metrics *metrics) {
    *metrics = (report_metrics){.cases = table->cases, .classes = table->classes};
    metrics->values = cmus_allocate(report_metric_count(table->classes), sizeof(double));
    metrics->confusion = cmus_allocate(table->classes * table->classes, sizeof(size_t));
    for (size_t i = 0; i < table->cases; i++)
        metrics->confusion[table->cell[i]]++;
    report_table_metrics(table, NULL, metrics->values);
}
