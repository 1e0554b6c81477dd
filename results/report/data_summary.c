#include "report/data_summary.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"

typedef struct counted_case {
    int label;
    size_t tem_images;
    const char *patient, *id;
} counted_case;

static int by_class_patient_case(const void *a, const void *b) {
    const counted_case *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    int order = strcmp(x->patient, y->patient);
    return order ? order : strcmp(x->id, y->id);
}

static counted_case *gather(const report_evaluation *evaluation) {
    counted_case *list = cmus_allocate(evaluation->cases, sizeof *list), *to = list;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t row = 0; row < fold->cases; row++)
            *to++ = (counted_case){fold->labels[row], (size_t)fold->tem_images[row], fold->patient_ids[row],
                                   fold->case_ids[row]};
    }
    qsort(list, evaluation->cases, sizeof *list, by_class_patient_case);
    return list;
}

void report_data_summary(const report_evaluation *evaluation, report_class_summary *classes) {
    memset(classes, 0, evaluation->classes * sizeof *classes);
    counted_case *list = gather(evaluation);
    for (size_t i = 0; i < evaluation->cases; i++) {
        const counted_case *one = &list[i], *before = i ? one - 1 : NULL;
        report_class_summary *own = &classes[one->label];
        bool same_class = before && before->label == one->label;
        bool same_patient = same_class && strcmp(before->patient, one->patient) == 0;
        if (same_patient && strcmp(before->id, one->id) == 0)
            continue;
        own->patients += !same_patient;
        own->tem_fewest = own->cases && own->tem_fewest < one->tem_images ? own->tem_fewest : one->tem_images;
        own->tem_most = own->tem_most > one->tem_images ? own->tem_most : one->tem_images;
        own->tem_images += one->tem_images;
        own->cases++;
    }
    cmus_free(list);
}
