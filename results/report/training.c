#include "report/training.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cmus/csv.h"
#include "cmus/memory.h"

static const struct {
    const char *column;
    bool may_be_empty, may_be_absent;
} curves[REPORT_CURVES] = {
    [REPORT_TRAIN_LOSS] = {"train_loss", false, false},
    [REPORT_VAL_LOSS] = {"val_loss", true, false},
    [REPORT_TRAIN_ACCURACY] = {"train_accuracy", false, false},
    [REPORT_VAL_ACCURACY] = {"val_accuracy", true, false},
    [REPORT_TRAIN_LOSS_FUSION] = {"train_loss_fusion", true, true},
    [REPORT_TRAIN_LOSS_OM] = {"train_loss_om", true, true},
    [REPORT_TRAIN_LOSS_IM] = {"train_loss_im", true, true},
    [REPORT_TRAIN_LOSS_TEM] = {"train_loss_tem", true, true},
    [REPORT_VAL_LOSS_FUSION] = {"val_loss_fusion", true, true},
    [REPORT_VAL_LOSS_OM] = {"val_loss_om", true, true},
    [REPORT_VAL_LOSS_IM] = {"val_loss_im", true, true},
    [REPORT_VAL_LOSS_TEM] = {"val_loss_tem", true, true},
    [REPORT_TRAIN_DISTANCE] = {"train_mean_distance", true, true},
    [REPORT_VAL_DISTANCE] = {"val_mean_distance", true, true},
};

static bool has_column(const cmus_csv *table, const char *name) {
    for (size_t i = 0; i < table->columns; i++)
        if (strcmp(table->header[i], name) == 0)
            return true;
    return false;
}

static cmus_status read_epochs(const cmus_csv *table, report_training *training) {
    size_t column;
    CMUS_TRY(cmus_csv_column(table, "epoch", &column));
    training->epochs = table->rows;
    training->epoch = cmus_allocate(table->rows, sizeof(long));
    for (size_t row = 0; row < table->rows; row++) {
        CMUS_TRY(cmus_csv_integer(table, row, column, &training->epoch[row]));
        if (row && training->epoch[row] <= training->epoch[row - 1])
            return cmus_fail(CMUS_ERROR_DATA, "%s, line %zu: epoch %ld follows epoch %ld", table->path,
                             table->lines[row], training->epoch[row], training->epoch[row - 1]);
    }
    return CMUS_OK;
}

static cmus_status read_curve(const cmus_csv *table, report_curve curve, report_training *training) {
    size_t column;
    double *values = training->values[curve] = cmus_allocate(table->rows, sizeof(double));
    if (curves[curve].may_be_absent && !has_column(table, curves[curve].column)) {
        for (size_t row = 0; row < table->rows; row++)
            values[row] = NAN;
        return CMUS_OK;
    }
    CMUS_TRY(cmus_csv_column(table, curves[curve].column, &column));
    for (size_t row = 0; row < table->rows; row++) {
        if (curves[curve].may_be_empty && !*cmus_csv_cell(table, row, column))
            values[row] = NAN;
        else
            CMUS_TRY(cmus_csv_number(table, row, column, &values[row]));
    }
    return CMUS_OK;
}

static cmus_status read_table(const cmus_csv *table, report_training *training) {
    CMUS_TRY(read_epochs(table, training));
    for (int curve = 0; curve < REPORT_CURVES; curve++)
        CMUS_TRY(read_curve(table, curve, training));
    return CMUS_OK;
}

cmus_status report_training_read(const char *path, report_training *training) {
    enum { LIMIT = 64 << 20 };
    *training = (report_training){0};
    cmus_csv table;
    CMUS_TRY(cmus_csv_read(path, LIMIT, &table));
    cmus_status status = read_table(&table, training);
    cmus_csv_free(&table);
    if (status != CMUS_OK)
        report_training_free(training);
    return status;
}

void report_training_free(report_training *training) {
    cmus_free(training->epoch);
    for (int curve = 0; curve < REPORT_CURVES; curve++)
        cmus_free(training->values[curve]);
    *training = (report_training){0};
}
