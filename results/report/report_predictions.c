#include "report/report_predictions.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/csv.h"
#include "cmus/memory.h"

enum { LABEL = 2, FIRST_PROBABILITY = 3, FEWEST_CLASSES = 2, MOST_CLASSES = 1000 };
static const size_t file_limit = (size_t)4 << 30;

const char *const report_head_keys[REPORT_HEADS] = {"fusion", "om", "im", "tem"};
const char *const report_head_labels[REPORT_HEADS] = {"Fusion", "OM", "IM", "TEM"};
static const char *const head_prefixes[REPORT_HEADS] = {"prob_", "prob_om_", "prob_im_", "prob_tem_"};

/* Where things are in a file. */
typedef struct layout {
    size_t classes;
    size_t head_column[REPORT_HEADS]; /* first of the head's columns, or 0 */
    bool has_bag;
    size_t tem_weight, tem_distance, tem_kept, mean_distance;
} layout;

/* Whether `classes` columns from `column` on are those of this head. */
static bool is_head(const cmus_csv *table, size_t column, size_t classes, report_head head) {
    size_t prefix = strlen(head_prefixes[head]), own = strlen(head_prefixes[REPORT_FUSION]);
    if (column + classes > table->columns)
        return false;
    for (size_t i = 0; i < classes; i++) {
        const char *name = table->header[column + i], *class_name = table->header[FIRST_PROBABILITY + i] + own;
        if (strncmp(name, head_prefixes[head], prefix) != 0 || strcmp(name + prefix, class_name) != 0)
            return false;
    }
    return true;
}

/* Splits `columns` probability columns into heads of `classes` each: true if that works out. A class may be called
 * "om_x", so only the whole row of names tells. */
static bool split_heads(const cmus_csv *table, size_t columns, size_t classes, layout *where) {
    *where = (layout){.classes = classes, .head_column = {[REPORT_FUSION] = FIRST_PROBABILITY}};
    size_t column = FIRST_PROBABILITY + classes;
    for (int head = REPORT_OM; head < REPORT_HEADS; head++)
        if (is_head(table, column, classes, head)) {
            where->head_column[head] = column;
            column += classes;
        }
    return column == FIRST_PROBABILITY + columns;
}

/* Whether a class is called like a column of a head that is not there, "om_MN" beside "MN": then a column of that head
 * is missing, and the rest of it was taken for classes. */
static bool has_stray_head(const cmus_csv *table, const layout *where) {
    char *const *names = table->header + FIRST_PROBABILITY;
    size_t own = strlen(head_prefixes[REPORT_FUSION]);
    for (int head = REPORT_OM; head < REPORT_HEADS; head++)
        for (size_t i = 0; !where->head_column[head] && i < where->classes; i++)
            for (size_t j = 0; j < where->classes; j++)
                if (strncmp(names[i], head_prefixes[head], strlen(head_prefixes[head])) == 0 &&
                    strcmp(names[i] + strlen(head_prefixes[head]), names[j] + own) == 0)
                    return true;
    return false;
}

static cmus_status find_columns(const cmus_csv *table, layout *where) {
    static const char *const ids[FIRST_PROBABILITY] = {"case_id", "patient_id", "label"};
    for (size_t i = 0; i < FIRST_PROBABILITY; i++)
        if (i >= table->columns || strcmp(table->header[i], ids[i]) != 0)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s, line 1: column %zu is not '%s'", table->path, i + 1, ids[i]);
    size_t columns = 0;
    while (FIRST_PROBABILITY + columns < table->columns &&
           strncmp(table->header[FIRST_PROBABILITY + columns], "prob_", 5) == 0)
        columns++;
    bool found = false;
    for (size_t heads = REPORT_HEADS; heads >= 1 && !found; heads--)
        if (columns % heads == 0 && columns / heads >= FEWEST_CLASSES && columns / heads <= MOST_CLASSES)
            found = split_heads(table, columns, columns / heads, where);
    if (!found || has_stray_head(table, where))
        return cmus_fail(CMUS_ERROR_FORMAT,
                         "%s, line 1: the %zu columns prob_<class>, prob_om_<class>, prob_im_<class>, prob_tem_<class> "
                         "do not name the same classes in the same order; is one missing?",
                         table->path, columns);
    where->has_bag = where->head_column[REPORT_TEM] > 0;
    if (!where->has_bag)
        return CMUS_OK;
    CMUS_TRY(cmus_csv_column(table, "tem_weight", &where->tem_weight));
    CMUS_TRY(cmus_csv_column(table, "tem_distance", &where->tem_distance));
    CMUS_TRY(cmus_csv_column(table, "tem_kept", &where->tem_kept));
    return cmus_csv_column(table, "mean_distance", &where->mean_distance);
}

static cmus_status read_class_names(const cmus_csv *table, const layout *where, report_predictions *predictions) {
    predictions->classes = where->classes;
    predictions->class_names = cmus_allocate(where->classes, sizeof(char *));
    for (size_t i = 0; i < where->classes; i++) {
        const char *name = table->header[FIRST_PROBABILITY + i] + strlen(head_prefixes[REPORT_FUSION]);
        if (!*name)
            return cmus_fail(CMUS_ERROR_FORMAT, "%s, line 1: column %zu names no class", table->path,
                             FIRST_PROBABILITY + i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, predictions->class_names[j]) == 0)
                return cmus_fail(CMUS_ERROR_FORMAT, "%s, line 1: the class '%s' is there twice", table->path, name);
        predictions->class_names[i] = cmus_copy_string(name);
    }
    return CMUS_OK;
}

/* One head's probabilities of one row. */
static cmus_status read_head(const cmus_csv *table, size_t row, size_t column, size_t classes, report_head head,
                             double *probabilities) {
    double sum = 0;
    for (size_t i = 0; i < classes; i++) {
        CMUS_TRY(cmus_csv_number(table, row, column + i, &probabilities[i]));
        if (probabilities[i] < 0 || probabilities[i] > 1)
            return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu, column '%s': %s is not between 0 and 1", table->path,
                             table->lines[row], table->header[column + i], cmus_csv_cell(table, row, column + i));
        sum += probabilities[i];
    }
    if (fabs(sum - 1) > 1e-4)
        return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: the probabilities of the %s head sum to %.9g, not to 1",
                         table->path, table->lines[row], report_head_keys[head], sum);
    return CMUS_OK;
}

/* A list of numbers from 0 to `largest` separated by ';', put into values[], which has room for `capacity`: more are
 * counted only. */
static cmus_status read_list(const cmus_csv *table, size_t row, size_t column, double largest, float *values,
                             size_t capacity, size_t *count) {
    const char *at = cmus_csv_cell(table, row, column);
    for (*count = 0;; at++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || !isfinite(value) || (*end && *end != ';'))
            return cmus_fail(CMUS_ERROR_FORMAT, "%s, line %zu, column '%s': '%s' is not a list of numbers", table->path,
                             table->lines[row], table->header[column], cmus_csv_cell(table, row, column));
        if (value < 0 || value > largest)
            return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu, column '%s': %.9g is not between 0 and %.9g", table->path,
                             table->lines[row], table->header[column], value, largest);
        if (*count < capacity)
            values[*count] = (float)value;
        ++*count;
        at = end;
        if (!*end)
            return CMUS_OK;
    }
}

/* How many numbers the list of a cell would have. */
static size_t list_length(const char *cell) {
    size_t count = 1;
    for (; *cell; cell++)
        count += *cell == ';';
    return count;
}

static cmus_status read_bag(const cmus_csv *table, size_t row, const layout *where, float *flags,
                            report_predictions *predictions) {
    size_t at = predictions->tem_offset[row], images = predictions->tem_offset[row + 1] - at;
    size_t weights, distances, kept;
    CMUS_TRY(read_list(table, row, where->tem_weight, 1, predictions->tem_weight + at, images, &weights));
    CMUS_TRY(read_list(table, row, where->tem_distance, FLT_MAX, predictions->tem_distance + at, images, &distances));
    CMUS_TRY(read_list(table, row, where->tem_kept, 1, flags, images, &kept));
    CMUS_TRY(cmus_csv_number(table, row, where->mean_distance, &predictions->mean_distance[row]));
    if (weights != distances || weights != kept)
        return cmus_fail(CMUS_ERROR_DATA,
                         "%s, line %zu: tem_weight, tem_distance and tem_kept list %zu, %zu and %zu images",
                         table->path, table->lines[row], weights, distances, kept);
    if (predictions->mean_distance[row] < 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: the mean_distance is negative", table->path,
                         table->lines[row]);
    predictions->tem_images[row] = (int)images;
    for (size_t i = 0; i < images; i++) {
        if (flags[i] != 0 && flags[i] != 1)
            return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu, column 'tem_kept': %.9g is neither 0 nor 1", table->path,
                             table->lines[row], (double)flags[i]);
        predictions->tem_flags[at + i] = flags[i] != 0;
        predictions->tem_kept[row] += flags[i] != 0;
    }
    return CMUS_OK;
}

static cmus_status read_bags(const cmus_csv *table, const layout *where, report_predictions *predictions) {
    size_t cases = table->rows, largest = 0;
    size_t *offset = predictions->tem_offset = cmus_allocate(cases + 1, sizeof(size_t));
    for (size_t row = 0; row < cases; row++) {
        size_t images = list_length(cmus_csv_cell(table, row, where->tem_weight));
        offset[row + 1] = offset[row] + images;
        largest = images > largest ? images : largest;
    }
    predictions->tem_weight = cmus_allocate(offset[cases], sizeof(float));
    predictions->tem_distance = cmus_allocate(offset[cases], sizeof(float));
    predictions->tem_flags = cmus_allocate(offset[cases], sizeof(bool));
    predictions->mean_distance = cmus_allocate(cases, sizeof(double));
    float *flags = cmus_allocate(largest, sizeof(float));
    cmus_status status = CMUS_OK;
    for (size_t row = 0; row < cases && status == CMUS_OK; row++)
        status = read_bag(table, row, where, flags, predictions);
    cmus_free(flags);
    return status;
}

/* The class that a cell names. */
static cmus_status read_class(const cmus_csv *table, size_t row, size_t column, const report_predictions *predictions,
                              int *class_index) {
    const char *name = cmus_csv_cell(table, row, column);
    for (size_t i = 0; i < predictions->classes; i++)
        if (strcmp(name, predictions->class_names[i]) == 0) {
            *class_index = (int)i;
            return CMUS_OK;
        }
    return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: the %s '%s' is none of the classes", table->path,
                     table->lines[row], table->header[column], name);
}

static cmus_status read_row(const cmus_csv *table, size_t row, const layout *where, report_predictions *predictions) {
    size_t classes = where->classes;
    for (size_t i = 0; i < 2; i++)
        if (!*cmus_csv_cell(table, row, i))
            return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: the %s is empty", table->path, table->lines[row],
                             table->header[i]);
    CMUS_TRY(read_class(table, row, LABEL, predictions, &predictions->labels[row]));
    for (int head = 0; head < REPORT_HEADS; head++)
        if (where->head_column[head])
            CMUS_TRY(read_head(table, row, where->head_column[head], classes, head,
                               predictions->probabilities[head] + row * classes));
    return CMUS_OK;
}

/* Keeps the ids only, in one piece of memory: a table holds many more cells than are needed later. */
static void copy_ids(const cmus_csv *table, report_predictions *predictions) {
    size_t size = 0;
    for (size_t row = 0; row < table->rows; row++)
        for (size_t column = 0; column < 2; column++)
            size += strlen(cmus_csv_cell(table, row, column)) + 1;
    char *to = predictions->text = cmus_allocate(size, 1);
    for (size_t row = 0; row < table->rows; row++)
        for (size_t column = 0; column < 2; column++) {
            *(column ? &predictions->patient_ids[row] : &predictions->case_ids[row]) = to;
            to = stpcpy(to, cmus_csv_cell(table, row, column)) + 1;
        }
}

typedef struct numbered_id {
    const char *id;
    size_t row;
} numbered_id;

static int by_id_and_row(const void *a, const void *b) {
    const numbered_id *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static cmus_status check_unique(const cmus_csv *table) {
    numbered_id *ids = cmus_allocate(table->rows, sizeof *ids);
    for (size_t i = 0; i < table->rows; i++)
        ids[i] = (numbered_id){cmus_csv_cell(table, i, 0), i};
    qsort(ids, table->rows, sizeof *ids, by_id_and_row);
    cmus_status status = CMUS_OK;
    for (size_t i = 1; i < table->rows && status == CMUS_OK; i++)
        if (strcmp(ids[i].id, ids[i - 1].id) == 0)
            status = cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: the case '%s' is predicted twice; first on line %zu",
                               table->path, table->lines[ids[i].row], ids[i].id, table->lines[ids[i - 1].row]);
    cmus_free(ids);
    return status;
}

/* Takes the row to an earlier place, over what is there. */
static void move_row(cmus_csv *table, size_t from, size_t to) {
    memmove(table->cells + to * table->columns, table->cells + from * table->columns,
            table->columns * sizeof *table->cells);
    table->lines[to] = table->lines[from];
}

static cmus_status drop_unlabelled(cmus_csv *table, const report_predictions *predictions, report_coverage *coverage) {
    size_t kept = 0;
    int label;
    for (size_t row = 0; row < table->rows; row++) {
        if (!*cmus_csv_cell(table, row, LABEL))
            continue;
        CMUS_TRY(read_class(table, row, LABEL, predictions, &label));
        move_row(table, row, kept++);
    }
    coverage->unlabelled = table->rows - kept;
    table->rows = kept;
    return kept ? CMUS_OK
                : cmus_fail(CMUS_ERROR_DATA,
                            "%s: none of the %zu cases has a label; predict again with the labels: cmus-predict "
                            "--labels FILE.csv",
                            table->path, coverage->cases);
}

/* Whether a head says nothing about a case. */
static bool is_silent(const cmus_csv *table, size_t row, const layout *where, report_head head) {
    for (size_t i = 0; i < where->classes; i++)
        if (*cmus_csv_cell(table, row, where->head_column[head] + i))
            return false;
    return true;
}

/* Heads that say nothing about any case are not there. */
static void forget_silent_heads(const cmus_csv *table, layout *where) {
    for (int head = REPORT_OM; head < REPORT_HEADS; head++) {
        size_t row = 0;
        while (where->head_column[head] && row < table->rows && is_silent(table, row, where, head))
            row++;
        if (row == table->rows)
            where->head_column[head] = 0;
    }
    where->has_bag = where->head_column[REPORT_TEM] > 0;
}

static bool is_complete(const cmus_csv *table, size_t row, const layout *where) {
    for (int head = 0; head < REPORT_HEADS; head++)
        if (where->head_column[head] && is_silent(table, row, where, head))
            return false;
    return true;
}

static cmus_status drop_incomplete(cmus_csv *table, const layout *where, const report_predictions *predictions,
                                   report_coverage *coverage) {
    size_t predicted, missing, kept = 0;
    int class_index;
    CMUS_TRY(cmus_csv_column(table, "predicted", &predicted));
    CMUS_TRY(cmus_csv_column(table, "missing", &missing));
    coverage->incomplete = cmus_allocate(table->rows, sizeof *coverage->incomplete);
    for (size_t row = 0; row < table->rows; row++) {
        if (is_complete(table, row, where)) {
            move_row(table, row, kept++);
            continue;
        }
        CMUS_TRY(read_class(table, row, predicted, predictions, &class_index));
        coverage->incomplete[coverage->incomplete_count++] = (report_incomplete){
            cmus_copy_string(cmus_csv_cell(table, row, 0)), cmus_copy_string(cmus_csv_cell(table, row, LABEL)),
            cmus_copy_string(cmus_csv_cell(table, row, missing)),
            cmus_copy_string(cmus_csv_cell(table, row, predicted))};
    }
    table->rows = kept;
    return kept ? CMUS_OK
                : cmus_fail(CMUS_ERROR_DATA,
                            "%s: no case with a label has images of all modalities, so the fusion head says nothing "
                            "that could be evaluated",
                            table->path);
}

/* Leaves the rows that can be evaluated. */
static cmus_status keep_evaluable(cmus_csv *table, layout *where, const report_predictions *predictions,
                                  report_coverage *coverage) {
    coverage->cases = table->rows;
    CMUS_TRY(drop_unlabelled(table, predictions, coverage));
    forget_silent_heads(table, where);
    return drop_incomplete(table, where, predictions, coverage);
}

/* coverage: NULL if every case must have a label and all heads. */
static cmus_status read_table(cmus_csv *table, report_predictions *predictions, report_coverage *coverage) {
    layout where;
    CMUS_TRY(find_columns(table, &where));
    CMUS_TRY(read_class_names(table, &where, predictions));
    if (!table->rows)
        return cmus_fail(CMUS_ERROR_DATA, "%s: no case is predicted", table->path);
    CMUS_TRY(check_unique(table));
    if (coverage)
        CMUS_TRY(keep_evaluable(table, &where, predictions, coverage));
    size_t cases = predictions->cases = table->rows;
    predictions->case_ids = cmus_allocate(cases, sizeof(char *));
    predictions->patient_ids = cmus_allocate(cases, sizeof(char *));
    predictions->labels = cmus_allocate(cases, sizeof(int));
    predictions->tem_images = cmus_allocate(cases, sizeof(int));
    predictions->tem_kept = cmus_allocate(cases, sizeof(int));
    for (int head = 0; head < REPORT_HEADS; head++)
        if (where.head_column[head])
            predictions->probabilities[head] = cmus_allocate(cases * where.classes, sizeof(double));
    for (size_t row = 0; row < cases; row++)
        CMUS_TRY(read_row(table, row, &where, predictions));
    if (where.has_bag)
        CMUS_TRY(read_bags(table, &where, predictions));
    copy_ids(table, predictions);
    return CMUS_OK;
}

static cmus_status read_file(const char *path, report_predictions *predictions, report_coverage *coverage) {
    *predictions = (report_predictions){0};
    cmus_csv table;
    CMUS_TRY(cmus_csv_read(path, file_limit, &table));
    cmus_status status = read_table(&table, predictions, coverage);
    cmus_csv_free(&table);
    if (status != CMUS_OK)
        report_predictions_free(predictions);
    return status;
}

cmus_status report_predictions_read(const char *path, report_predictions *predictions) {
    return read_file(path, predictions, NULL);
}

cmus_status report_predictions_read_external(const char *path, report_predictions *predictions,
                                             report_coverage *coverage) {
    *coverage = (report_coverage){0};
    return read_file(path, predictions, coverage);
}

void report_coverage_free(report_coverage *coverage) {
    for (size_t i = 0; i < coverage->incomplete_count; i++) {
        cmus_free(coverage->incomplete[i].case_id);
        cmus_free(coverage->incomplete[i].label);
        cmus_free(coverage->incomplete[i].missing);
        cmus_free(coverage->incomplete[i].predicted);
    }
    cmus_free(coverage->incomplete);
    *coverage = (report_coverage){0};
}

void report_predictions_free(report_predictions *predictions) {
    for (size_t i = 0; predictions->class_names && i < predictions->classes; i++)
        cmus_free(predictions->class_names[i]);
    cmus_free(predictions->class_names);
    cmus_free(predictions->case_ids);
    cmus_free(predictions->patient_ids);
    cmus_free(predictions->labels);
    cmus_free(predictions->tem_images);
    cmus_free(predictions->tem_kept);
    cmus_free(predictions->tem_offset);
    cmus_free(predictions->tem_weight);
    cmus_free(predictions->tem_distance);
    cmus_free(predictions->tem_flags);
    cmus_free(predictions->mean_distance);
    for (int head = 0; head < REPORT_HEADS; head++)
        cmus_free(predictions->probabilities[head]);
    cmus_free(predictions->text);
    *predictions = (report_predictions){0};
}
