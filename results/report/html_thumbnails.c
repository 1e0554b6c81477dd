/* The pictures of the wrong cases, with the weights of the TEM images under them. */
#include <string.h>

#include "cmus/memory.h"
#include "report/html.h"
#include "report/report_text.h"
#include "report/thumbnails.h"

/* "OM", "IM", or the weight of the TEM image, "0.62"; "left out". Free with cmus_free(). */
static char *caption_of(const report_predictions *fold, size_t row, const report_thumbnail *thumbnail) {
    if (thumbnail->modality != REPORT_TEM)
        return cmus_copy_string(report_head_labels[thumbnail->modality]);
    size_t at = fold->tem_offset[row] + thumbnail->image;
    return fold->tem_flags[at] ? cmus_format_string("%.2f", (double)fold->tem_weight[at])
                               : cmus_copy_string("left out");
}

static void write_thumbnail(cmus_file_writer *writer, const report_predictions *fold, size_t row,
                            const report_thumbnail *thumbnail, int side) {
    char *caption = caption_of(fold, row, thumbnail);
    bool tem = thumbnail->modality == REPORT_TEM;
    cmus_file_writer_print(writer, "<div%s><img width=\"%d\" height=\"%d\" alt=\"%s image",
                           tem && strcmp(caption, "left out") == 0 ? " class=\"out\"" : "", side, side,
                           report_head_labels[thumbnail->modality]);
    if (tem)
        cmus_file_writer_print(writer, " %zu", thumbnail->image + 1);
    cmus_file_writer_print(writer, "\" src=\"data:image/jpeg;base64,%s\"><span>%s</span></div>\n", thumbnail->jpeg,
                           caption);
    cmus_free(caption);
}

static void write_case(cmus_file_writer *writer, const report_evaluation *evaluation, const report_case_thumbnails *own,
                       int side) {
    const report_fold *used = evaluation->used[own->one.fold];
    const report_predictions *fold = &used->predictions;
    cmus_file_writer_print(writer, "<section class=\"case\"><h4>");
    cmus_file_writer_html(writer, own->one.id);
    cmus_file_writer_print(writer, "</h4><p class=\"note\">");
    if (!evaluation->run->external) {
        char *name = report_fold_name(evaluation->run, used);
        cmus_file_writer_print(writer, "%s: ", name);
        cmus_free(name);
    }
    cmus_file_writer_html(writer, evaluation->class_names[fold->labels[own->one.row]]);
    cmus_file_writer_print(writer, ", predicted <span class=\"wrong\">");
    cmus_file_writer_html(writer, evaluation->class_names[own->one.predicted]);
    cmus_file_writer_print(writer, "</span> (%.2f)</p><div class=\"strip\">\n", own->one.confidence);
    for (size_t i = 0; i < own->count; i++)
        write_thumbnail(writer, fold, own->one.row, &own->list[i], side);
    cmus_file_writer_print(writer, "</div></section>\n");
}

void report_html_thumbnails(cmus_file_writer *writer, const report_evaluation *evaluation,
                            const report_thumbnails *thumbnails) {
    if (!thumbnails || !thumbnails->count)
        return;
    cmus_file_writer_print(writer,
                           "<details open class=\"thumbnails\"><summary>Images of %zu wrong cases, the surest first"
                           "</summary>\n<p class=\"note\">Under the TEM images: their weights in the fusion.</p>\n<div "
                           "class=\"gallery\">\n",
                           thumbnails->count);
    for (size_t i = 0; i < thumbnails->count; i++)
        write_case(writer, evaluation, &thumbnails->cases[i], thumbnails->side);
    cmus_file_writer_print(writer, "</div></details>\n");
}
