/* predictions.csv of a fold (declared in evaluate.h). */
#include "cmus/evaluate.h"
#include "cmus/file.h"
#include "cmus/prediction_table.h"

static void write_row(cmus_file_writer *writer, const cmus_dataset *dataset, const cmus_prediction *prediction) {
    cmus_case_info info = cmus_dataset_case(dataset, prediction->index);
    const cmus_case_result *result = &prediction->result;
    cmus_prediction_row row = {.case_id = info.case_id,
                               .patient_id = info.patient_id,
                               .label = cmus_dataset_class_name(dataset, info.label),
                               .tem_count = prediction->tem_count,
                               .tem_weight = result->tem_weight,
                               .tem_distance = result->tem_distance,
                               .tem_kept = result->tem_kept,
                               .mean_distance = result->mean_distance};
    for (int head = 0; head < CMUS_HEADS; head++)
        row.probabilities[head] = result->probabilities[head];
    cmus_prediction_table_row(writer, &row, cmus_dataset_class_count(dataset));
    cmus_file_writer_print(writer, "\n");
}

cmus_status cmus_predictions_write(const char *path, const cmus_dataset *dataset, const cmus_prediction *predictions,
                                   int count) {
    const char *classes[CMUS_DATASET_CLASSES];
    int class_count = cmus_dataset_class_count(dataset);
    for (int i = 0; i < class_count; i++)
        classes[i] = cmus_dataset_class_name(dataset, i);
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_prediction_table_header(writer, classes, class_count);
    cmus_file_writer_print(writer, "\n");
    for (int i = 0; i < count; i++)
        write_row(writer, dataset, &predictions[i]);
    return cmus_file_writer_commit(writer);
}
