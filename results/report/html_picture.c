#include "report/html_picture.h"

#include <string.h>

/* Copies one tag, "<...>". What gnuplot calls "ID" becomes "PICTURE-ID" where it is defined and where it is used: the
 * same ids are in every picture of the page. */
static void copy_tag(cmus_file_writer *writer, const char *tag, size_t size, const char *picture) {
    static const char *const marks[] = {" id='", " id=\"", "href='#", "href=\"#", "url(#"};
    size_t copied = 0;
    for (size_t at = 0; at < size; at++)
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
            size_t length = strlen(marks[i]);
            if (length > size - at || memcmp(tag + at, marks[i], length) != 0)
                continue;
            cmus_file_writer_add(writer, tag + copied, at + length - copied);
            cmus_file_writer_print(writer, "%s-", picture);
            copied = at + length;
        }
    cmus_file_writer_add(writer, tag + copied, size - copied);
}

/* Behind the element if `at` begins one of this name without attributes, else `at`. */
static const char *skip_element(const char *at, const char *opening, const char *closing) {
    if (strncmp(at, opening, strlen(opening)) != 0)
        return at;
    const char *end = strstr(at, closing);
    return end ? end + strlen(closing) : at;
}

void report_html_picture(cmus_file_writer *writer, const report_picture *picture, const char *label) {
    static const char root[] = "<svg";
    const char *at = strstr(picture->svg, root);
    if (!at)
        return;
    cmus_file_writer_print(writer, "<figure><svg role=\"img\" aria-label=\"%s\"", label);
    at += strlen(root);
    while (*at) {
        size_t text = strcspn(at, "<"); /* between tags, or the rest of the root tag */
        cmus_file_writer_add(writer, at, text);
        at += text;
        const char *behind = skip_element(skip_element(at, "<title>", "</title>"), "<desc>", "</desc>");
        if (behind == at && *at) {
            size_t size = strcspn(at, ">");
            size += at[size] == '>';
            copy_tag(writer, at, size, picture->name);
            behind = at + size;
        }
        at = behind;
    }
    cmus_file_writer_print(writer, "</figure>\n");
}
