#include "page_parts.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/program.h"
#include "colour_map.h"

extern const char cmus_case_page_css[]; /* made from case_page.css */

static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
                             "form-action 'none'";

/* The scale of heat as a gradient, as it looks on a gray image. */
static void write_scale(cmus_file_writer *writer) {
    enum { STEPS = 16 };
    cmus_file_writer_print(writer, ".scale { background: linear-gradient(to right");
    for (int i = 0; i <= STEPS; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of((float)i / STEPS);
        cmus_file_writer_print(writer, ", rgba(%.0f, %.0f, %.0f, %.3f)", (double)colour.rgb[0], (double)colour.rgb[1],
                               (double)colour.rgb[2], (double)colour.opacity);
    }
    cmus_file_writer_print(writer, "), #969696; }\n");
}

void cmus_page_begin(cmus_file_writer *writer, const char *title) {
    cmus_file_writer_print(writer,
                           "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                           "<meta name=\"color-scheme\" content=\"light dark\">\n"
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
                           "<meta name=\"generator\" content=\"cmus-predict %s\">\n<title>",
                           policy, cmus_version());
    cmus_file_writer_html(writer, title);
    cmus_file_writer_print(writer, "</title>\n<style>\n");
    cmus_file_writer_add(writer, cmus_case_page_css, strlen(cmus_case_page_css));
    write_scale(writer);
    cmus_file_writer_print(writer, "</style>\n</head>\n<body>\n");
}

void cmus_page_end(cmus_file_writer *writer) {
    cmus_file_writer_print(writer, "<footer><p>cmus-predict %s</p></footer>\n</body>\n</html>\n", cmus_version());
}

void cmus_page_href(cmus_file_writer *writer, const char *name) {
    cmus_file_writer_print(writer, " href=\"./");
    for (; *name; name++) {
        unsigned char letter = (unsigned char)*name;
        if (isascii(letter) && (isalnum(letter) || strchr("-._~", letter)))
            cmus_file_writer_add(writer, name, 1);
        else
            cmus_file_writer_print(writer, "%%%02X", letter);
    }
    cmus_file_writer_print(writer, "\"");
}

void cmus_page_text(cmus_file_writer *writer, const char *before, const char *text, const char *after) {
    cmus_file_writer_print(writer, "%s", before);
    cmus_file_writer_html(writer, text);
    cmus_file_writer_print(writer, "%s", after);
}

void cmus_page_words(cmus_file_writer *writer, const char *before, char *text, const char *after) {
    cmus_page_text(writer, before, text, after);
    cmus_free(text);
}

void cmus_page_level(cmus_file_writer *writer, double share) {
    cmus_file_writer_print(writer, "<span class=\"level\"><span style=\"width: %.1f%%\"></span></span>",
                           share > 0 ? 100 * fmin(share, 1) : 0.0);
}
