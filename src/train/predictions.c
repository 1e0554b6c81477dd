/* predictions.csv (declared in evaluate.h). */
#include "cmus/evaluate.h"
#include "cmus/file.h"
#include "cmus/memory.h"

/* The heads in the order of the columns, and what stands before the class in their names. */
static const struct {
    cmus_head head;
    const char *prefix;
} columns[CMUS_HEADS] = {
    {CMUS_HEAD_FUSION, "prob_"}, {CMUS_HEAD_OM, "prob_om_"}, {CMUS_HEAD_IM, "prob_im_"}, {CMUS_HEAD_TEM, "prob_tem_"}};

static void write_header(cmus_file_writer *writer, const cmus_dataset *dataset) {
    cmus_file_writer_print(writer, "case_id,patient_id,label");
    for (int head = 0; head < CMUS_HEADS; head++)
        for (int i = 0; i < cmus_dataset_class_count(dataset); i++) {
            char *name = cmus_format_string("%s%s", columns[head].prefix, cmus_dataset_class_name(dataset, i));
            cmus_file_writer_print(writer, ",");
            cmus_file_writer_csv(writer, name);
            cmus_free(name);
        }
    cmus_file_writer_print(writer, ",tem_weight,tem_distance,tem_kept,mean_distance\n");
}

static void write_list(cmus_file_writer *writer, const float *values, int count) {
    for (int i = 0; i < count; i++)
        cmus_file_writer_print(writer, i ? ";%.9g" : ",%.9g", (double)values[i]);
}

static void write_row(cmus_file_writer *writer, const cmus_dataset *dataset, const cmus_prediction *prediction) {
    cmus_case_info info = cmus_dataset_case(dataset, prediction->index);
    const cmus_case_result *result = &prediction->result;
    const char *texts[] = {info.case_id, info.patient_id, cmus_dataset_class_name(dataset, info.label)};
    for (int i = 0; i < 3; i++) {
        if (i)
            cmus_file_writer_print(writer, ",");
        cmus_file_writer_csv(writer, texts[i]);
    }
    for (int head = 0; head < CMUS_HEADS; head++)
        for (int i = 0; i < cmus_dataset_class_count(dataset); i++)
            cmus_file_writer_print(writer, ",%.9g", result->probabilities[columns[head].head][i]);
    write_list(writer, result->tem_weight, prediction->tem_count);
    write_list(writer, result->tem_distance, prediction->tem_count);
    for (int i = 0; i < prediction->tem_count; i++)
        cmus_file_writer_print(writer, i ? ";%d" : ",%d", result->tem_kept[i]);
    cmus_file_writer_print(writer, ",%.9g\n", result->mean_distance);
}

cmus_status cmus_predictions_write(const char *path, const cmus_dataset *dataset, const cmus_prediction *predictions,
                                   int count) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    write_header(writer, dataset);
    for (int i = 0; i < count; i++)
        write_row(writer, dataset, &predictions[i]);
    return cmus_file_writer_commit(writer);
}
