/* What the page of a case and the list of all pages share. */
#ifndef CMUS_PAGE_PARTS_H
#define CMUS_PAGE_PARTS_H

#include "cmus/file.h"

/* From the doctype to <body>: the policy that forbids scripts and requests, the style and the colours of heat. */
void cmus_page_begin(cmus_file_writer *writer, const char *title);
/* The end of the page. */
void cmus_page_end(cmus_file_writer *writer);
/* " href=..." for a file in the same folder: whatever its name, nothing else can come of it. */
void cmus_page_href(cmus_file_writer *writer, const char *name);
/* The text, made safe, between two pieces of HTML. */
void cmus_page_text(cmus_file_writer *writer, const char *before, const char *text, const char *after);
/* The same; frees the text. */
void cmus_page_words(cmus_file_writer *writer, const char *before, char *text, const char *after);
/* A bar that is filled by a share of it, which is cut to 0 ... 1. */
void cmus_page_level(cmus_file_writer *writer, double share);

#endif
