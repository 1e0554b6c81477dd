/* The list of all pages. */
#include <math.h>
#include <string.h>

#include "cmus/case_picture.h"
#include "cmus/memory.h"
#include "page_parts.h"

static bool is_known(const cmus_case_link *link) {
    return link->class_name && *link->class_name;
}

static bool is_wrong(const cmus_case_link *link) {
    return is_known(link) && link->predicted && strcmp(link->class_name, link->predicted) != 0;
}

static void write_summary(cmus_file_writer *writer, const cmus_case_link *links, size_t count) {
    size_t known = 0, wrong = 0;
    for (size_t i = 0; i < count; i++) {
        known += is_known(&links[i]);
        wrong += is_wrong(&links[i]);
    }
    cmus_file_writer_print(writer, "<p>%zu case%s.", count, count == 1 ? "" : "s");
    if (known)
        cmus_file_writer_print(writer, " The class of %zu is known; of these, %zu %s predicted wrong.", known, wrong,
                               wrong == 1 ? "is" : "are");
    cmus_file_writer_print(writer, "</p>\n");
}

static void write_row(cmus_file_writer *writer, const cmus_case_link *link) {
    bool wrong = is_wrong(link);
    cmus_file_writer_print(writer, "<tr><th scope=\"row\"><a");
    cmus_page_href(writer, link->page);
    cmus_page_text(writer, ">", link->case_id, "</a></th>");
    cmus_page_text(writer, is_known(link) ? "<td>" : "<td class=\"missing\">",
                   is_known(link) ? link->class_name : "unknown", "</td>");
    cmus_page_text(writer, wrong ? "<td class=\"wrong\">" : "<td>", link->predicted ? link->predicted : "none",
                   wrong ? " (wrong)</td>" : "</td>");
    char *probability =
        isfinite(link->probability) ? cmus_format_string("%.3f", link->probability) : cmus_copy_string("–");
    cmus_page_words(writer, "<td>", probability, "</td></tr>\n");
}

cmus_status cmus_case_pages_index(const char *path, const cmus_case_link *links, size_t count) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_page_begin(writer, "CMUS-Net prediction: all cases");
    cmus_file_writer_print(writer, "<header>\n<p class=\"kicker\">CMUS-Net prediction</p>\n<h1>All cases</h1>\n"
                                   "</header>\n<main>\n");
    write_summary(writer, links, count);
    cmus_file_writer_print(writer, "<div class=\"scroll\" tabindex=\"0\"><table class=\"index\"><thead><tr>"
                                   "<th scope=\"col\">Case</th><th scope=\"col\">Known class</th>"
                                   "<th scope=\"col\">Predicted</th><th scope=\"col\">Probability</th></tr></thead>\n"
                                   "<tbody>\n");
    for (size_t i = 0; i < count; i++)
        write_row(writer, &links[i]);
    cmus_file_writer_print(writer, "</tbody></table></div>\n</main>\n");
    cmus_page_end(writer);
    return cmus_file_writer_commit(writer);
}
