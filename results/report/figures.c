#include "report/figures.h"

#include "cmus/memory.h"

const char *report_colour(size_t index) {
    static const char *const colours[REPORT_COLOURS] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                        "#E69F00", "#56B4E9", "#6E6E6E"};
    return colours[index % REPORT_COLOURS];
}

char *report_roc_name(const char *prefix, report_head head) {
    return cmus_format_string("%sroc-%s", prefix, report_head_keys[head]);
}

char *report_confusion_name(const char *prefix, report_head head) {
    return cmus_format_string("%sconfusion-%s", prefix, report_head_keys[head]);
}

char *report_loss_name(const char *prefix) {
    return cmus_format_string("%strain-loss", prefix);
}

char *report_accuracy_name(const char *prefix) {
    return cmus_format_string("%strain-accuracy", prefix);
}

void report_plot_title(report_plot *plot, const report_evaluation *evaluation, const char *title) {
    char *folds = report_folds_text(evaluation);
    char *marked = evaluation->partial ? cmus_format_string("%s, PARTIAL: %s", title, folds) : cmus_copy_string(title);
    cmus_file_writer_print(plot->script, "set title ");
    report_plot_text(plot, marked);
    cmus_file_writer_print(plot->script, " textcolor rgb '%s'\n", evaluation->partial ? "#D55E00" : "black");
    cmus_free(marked);
    cmus_free(folds);
}

/* Adds a picture after it was drawn; takes over the name. */
static cmus_status keep_picture(cmus_status drawn, const char *folder, char *name, report_pictures *pictures) {
    enum { SVG_LIMIT = 256 << 20 };
    char *path = cmus_format_string("%s/%s.svg", folder, name), *svg = NULL;
    size_t size;
    cmus_status status = drawn == CMUS_OK ? cmus_file_read(path, SVG_LIMIT, &svg, &size) : drawn;
    cmus_free(path);
    if (status != CMUS_OK) {
        cmus_free(name);
        return status;
    }
    size_t capacity = pictures->count;
    pictures->list = cmus_grow(pictures->list, &capacity, pictures->count + 1, sizeof(report_picture));
    pictures->list[pictures->count++] = (report_picture){name, svg};
    return CMUS_OK;
}

cmus_status report_draw_figures(const report_evaluation *evaluation, const char *folder, const char *prefix,
                                report_pictures *pictures) {
    for (int head = 0; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        char *name = report_roc_name(prefix, head);
        CMUS_TRY(keep_picture(report_draw_roc(evaluation, head, folder, name), folder, name, pictures));
        name = report_confusion_name(prefix, head);
        CMUS_TRY(keep_picture(report_draw_confusion(evaluation, head, folder, name), folder, name, pictures));
    }
    char *name = report_loss_name(prefix);
    CMUS_TRY(keep_picture(report_draw_curves(evaluation, REPORT_TRAIN_LOSS, REPORT_VAL_LOSS, "Loss", folder, name),
                          folder, name, pictures));
    name = report_accuracy_name(prefix);
    CMUS_TRY(keep_picture(
        report_draw_curves(evaluation, REPORT_TRAIN_ACCURACY, REPORT_VAL_ACCURACY, "Accuracy", folder, name), folder,
        name, pictures));
    for (size_t i = 0; i < report_tsne_pictures(evaluation); i++) {
        name = report_tsne_name(prefix, evaluation, i);
        CMUS_TRY(keep_picture(report_draw_tsne(evaluation, i, folder, name), folder, name, pictures));
    }
    return CMUS_OK;
}

void report_pictures_free(report_pictures *pictures) {
    for (size_t i = 0; i < pictures->count; i++) {
        cmus_free(pictures->list[i].name);
        cmus_free(pictures->list[i].svg);
    }
    cmus_free(pictures->list);
    *pictures = (report_pictures){0};
}
