#include "report/cases.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"

/* Wrong ones first; among them the surest first, among the right ones the least sure. */
static int by_interest(const void *a, const void *b) {
    const report_case *x = a, *y = b;
    if (x->wrong != y->wrong)
        return x->wrong ? -1 : 1;
    if (x->confidence != y->confidence)
        return (x->confidence < y->confidence) == x->wrong ? 1 : -1;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->fold > y->fold) - (x->fold < y->fold);
}

report_case *report_cases_list(const report_evaluation *evaluation, bool all, size_t *count, size_t *wrong) {
    report_case *list = NULL;
    size_t capacity = 0, classes = evaluation->classes;
    *count = *wrong = 0;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t row = 0; row < fold->cases; row++) {
            const double *probabilities = fold->probabilities[REPORT_FUSION] + row * classes;
            size_t predicted = report_argmax(probabilities, classes);
            bool is_wrong = predicted != (size_t)fold->labels[row];
            *wrong += is_wrong;
            if (!all && !is_wrong)
                continue;
            list = cmus_grow(list, &capacity, *count + 1, sizeof *list);
            list[(*count)++] =
                (report_case){i, row, predicted, probabilities[predicted], fold->case_ids[row], is_wrong};
        }
    }
    if (*count)
        qsort(list, *count, sizeof *list, by_interest);
    return list;
}

int report_case_agreement(const report_evaluation *evaluation, const report_case *one, int *heads) {
    const report_predictions *fold = &evaluation->used[one->fold]->predictions;
    int agreeing = 0;
    *heads = 0;
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        const double *probabilities = fold->probabilities[head] + one->row * evaluation->classes;
        agreeing += report_argmax(probabilities, evaluation->classes) == one->predicted;
        (*heads)++;
    }
    return agreeing;
}

/* The classes of all runs, each once, in the order in which they come first. */
typedef struct class_list {
    const char **names; /* [count] */
    size_t count;
} class_list;

static size_t find_class(const class_list *list, const char *name) {
    size_t i = 0;
    while (i < list->count && strcmp(list->names[i], name) != 0)
        i++;
    return i;
}

static class_list join_classes(const report_evaluation *evaluations, size_t runs) {
    class_list list = {0};
    size_t capacity = 0;
    for (size_t run = 0; run < runs; run++)
        for (size_t i = 0; i < evaluations[run].classes; i++) {
            const char *name = evaluations[run].class_names[i];
            if (find_class(&list, name) < list.count)
                continue;
            list.names = cmus_grow(list.names, &capacity, list.count + 1, sizeof *list.names);
            list.names[list.count++] = name;
        }
    return list;
}

static void write_header(cmus_file_writer *writer, const class_list *classes) {
    cmus_file_writer_print(writer, "run,fold,repeat,case_id,patient_id,label,predicted,correct,confidence");
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++)
        cmus_file_writer_print(writer, ",predicted_%s", report_head_keys[head]);
    cmus_file_writer_print(writer, ",heads_agreeing,heads");
    for (int head = 0; head < REPORT_HEADS; head++)
        for (size_t i = 0; i < classes->count; i++) {
            char *name = head == REPORT_FUSION
                             ? cmus_format_string("prob_%s", classes->names[i])
                             : cmus_format_string("prob_%s_%s", report_head_keys[head], classes->names[i]);
            cmus_file_writer_add(writer, ",", 1);
            cmus_file_writer_csv(writer, name);
            cmus_free(name);
        }
    cmus_file_writer_print(writer, ",tem_images,tem_used,tem_weight,tem_distance,tem_kept,mean_distance\n");
}

static void write_text(cmus_file_writer *writer, const char *text) {
    cmus_file_writer_add(writer, ",", 1);
    cmus_file_writer_csv(writer, text);
}

/* The class that each single head predicts, and how many agree with the fusion. */
static void write_heads(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case *one) {
    const report_predictions *fold = &evaluation->used[one->fold]->predictions;
    size_t classes = evaluation->classes;
    for (int head = REPORT_FUSION + 1; head < REPORT_HEADS; head++)
        write_text(writer,
                   evaluation->heads[head].present
                       ? evaluation->class_names[report_argmax(fold->probabilities[head] + one->row * classes, classes)]
                       : "");
    int heads, agreeing = report_case_agreement(evaluation, one, &heads);
    cmus_file_writer_print(writer, ",%d,%d", agreeing, heads);
}

/* `columns`: for each column of a head the run's class, or at least `classes` if the run lacks it. */
static void write_probabilities(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case *one,
                                const size_t *columns, size_t count) {
    const report_predictions *fold = &evaluation->used[one->fold]->predictions;
    for (int head = 0; head < REPORT_HEADS; head++)
        for (size_t i = 0; i < count; i++)
            if (evaluation->heads[head].present && columns[i] < evaluation->classes)
                cmus_file_writer_print(writer, ",%.9g",
                                       fold->probabilities[head][one->row * evaluation->classes + columns[i]]);
            else
                cmus_file_writer_add(writer, ",", 1);
}

static void write_list(cmus_file_writer *writer, const float *values, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++)
        cmus_file_writer_print(writer, i == begin ? ",%.9g" : ";%.9g", (double)values[i]);
}

static void write_bag(cmus_file_writer *writer, const report_predictions *fold, size_t row) {
    if (!fold->tem_offset) {
        cmus_file_writer_print(writer, ",,,,,,\n");
        return;
    }
    size_t begin = fold->tem_offset[row], end = fold->tem_offset[row + 1];
    cmus_file_writer_print(writer, ",%d,%d", fold->tem_images[row], fold->tem_kept[row]);
    write_list(writer, fold->tem_weight, begin, end);
    write_list(writer, fold->tem_distance, begin, end);
    for (size_t i = begin; i < end; i++)
        cmus_file_writer_print(writer, i == begin ? ",%d" : ";%d", fold->tem_flags[i]);
    cmus_file_writer_print(writer, ",%.9g\n", fold->mean_distance[row]);
}

static void write_row(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case *one,
                      const size_t *columns, size_t count) {
    const report_fold *used = evaluation->used[one->fold];
    const report_predictions *fold = &used->predictions;
    cmus_file_writer_csv(writer, evaluation->run->name);
    if (evaluation->run->external)
        cmus_file_writer_print(writer, ",,");
    else
        cmus_file_writer_print(writer, ",%ld,%ld", used->fold, used->repeat);
    write_text(writer, fold->case_ids[one->row]);
    write_text(writer, fold->patient_ids[one->row]);
    write_text(writer, evaluation->class_names[fold->labels[one->row]]);
    write_text(writer, evaluation->class_names[one->predicted]);
    cmus_file_writer_print(writer, ",%d,%.9g", !one->wrong, one->confidence);
    write_heads(writer, evaluation, one);
    write_probabilities(writer, evaluation, one, columns, count);
    write_bag(writer, fold, one->row);
}

static void write_run(cmus_file_writer *writer, const report_evaluation *evaluation, const class_list *classes) {
    const class_list own = {(const char **)evaluation->class_names, evaluation->classes};
    size_t *columns = cmus_allocate(classes->count, sizeof *columns);
    for (size_t i = 0; i < classes->count; i++)
        columns[i] = find_class(&own, classes->names[i]);
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t row = 0; row < fold->cases; row++) {
            const double *probabilities = fold->probabilities[REPORT_FUSION] + row * evaluation->classes;
            size_t predicted = report_argmax(probabilities, evaluation->classes);
            report_case one = {i,
                               row,
                               predicted,
                               probabilities[predicted],
                               fold->case_ids[row],
                               predicted != (size_t)fold->labels[row]};
            write_row(writer, evaluation, &one, columns, classes->count);
        }
    }
    cmus_free(columns);
}

cmus_status report_cases_csv(const char *path, const report_evaluation *evaluations, size_t runs) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    class_list classes = join_classes(evaluations, runs);
    write_header(writer, &classes);
    for (size_t i = 0; i < runs; i++)
        write_run(writer, &evaluations[i], &classes);
    cmus_free(classes.names);
    return cmus_file_writer_commit(writer);
}
