#include "cmus/prediction_table.h"

#include "cmus/memory.h"

const cmus_head cmus_prediction_heads[CMUS_HEADS] = {CMUS_HEAD_FUSION, CMUS_HEAD_OM, CMUS_HEAD_IM, CMUS_HEAD_TEM};

/* What stands before the class in a column's name. */
static const char *const prefixes[CMUS_HEADS] = {[CMUS_HEAD_FUSION] = "prob_",
                                                 [CMUS_HEAD_OM] = "prob_om_",
                                                 [CMUS_HEAD_IM] = "prob_im_",
                                                 [CMUS_HEAD_TEM] = "prob_tem_"};

void cmus_prediction_table_header(cmus_file_writer *writer, const char *const *classes, int class_count) {
    cmus_file_writer_print(writer, "case_id,patient_id,label");
    for (int head = 0; head < CMUS_HEADS; head++)
        for (int i = 0; i < class_count; i++) {
            char *name = cmus_format_string("%s%s", prefixes[cmus_prediction_heads[head]], classes[i]);
            cmus_file_writer_print(writer, ",");
            cmus_file_writer_csv(writer, name);
            cmus_free(name);
        }
    cmus_file_writer_print(writer, ",tem_weight,tem_distance,tem_kept,mean_distance");
}

static void write_list(cmus_file_writer *writer, const float *values, int count) {
    for (int i = 0; i < count; i++)
        cmus_file_writer_print(writer, i ? ";%.9g" : ",%.9g", (double)values[i]);
}

void cmus_prediction_table_row(cmus_file_writer *writer, const cmus_prediction_row *row, int class_count) {
    const char *texts[] = {row->case_id, row->patient_id, row->label};
    for (int i = 0; i < 3; i++) {
        if (i)
            cmus_file_writer_print(writer, ",");
        cmus_file_writer_csv(writer, texts[i]);
    }
    for (int head = 0; head < CMUS_HEADS; head++) {
        const double *probabilities = row->probabilities[cmus_prediction_heads[head]];
        for (int i = 0; i < class_count; i++)
            if (probabilities)
                cmus_file_writer_print(writer, ",%.9g", probabilities[i]);
            else
                cmus_file_writer_print(writer, ",");
    }
    write_list(writer, row->tem_weight, row->tem_count);
    write_list(writer, row->tem_distance, row->tem_count);
    for (int i = 0; i < row->tem_count; i++)
        cmus_file_writer_print(writer, i ? ";%d" : ",%d", row->tem_kept[i]);
    cmus_file_writer_print(writer, ",%.9g", row->mean_distance);
}
