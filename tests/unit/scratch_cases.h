/* For tests of case sources: folders of small images, what is printed, what is expected. */
#ifndef CMUS_TESTS_SCRATCH_CASES_H
#define CMUS_TESTS_SCRATCH_CASES_H

#include "cmus/case_source.h"
#include "unit.h"

enum { SIDE = 8, IMAGE = SIDE * SIDE * 3, MOST_TEM = 4 };
#define TREE "case_source_tree"
static const cmus_case_source_options plain = {.image_size = SIDE, .quiet = true};

/* What was printed between begin_listening() and end_listening(). */
extern char *said;

void begin_listening(void);
void end_listening(void);

void expect_text(const char *text, const char *wanted);

/* The message of the failure that was just had. */
void expect_message(const char *wanted);

void write_text(const char *path, const char *text);

/* A gray TIFF of SIDE x SIDE pixels: byte i is shade + i % 7, or 16 bits with 256 times that. */
void write_image(const char *path, int shade, int bits);

/* TREE/NAME; free with cmus_free(). */
char *tree_path(const char *name);

/* An image of a shade of its own at TREE/NAME. */
void add_image(const char *name);

/* FOLDER in the tree with OM_1.tif, IM_1.tif and TEM_9.tif, ... ; their last numbers tell natural order. */
void add_case(const char *folder, int tem_count);

void remove_image(const char *name);

/* An empty TREE. */
void begin_tree(void);

cmus_case_source *open_tree(const cmus_case_source_options *options);

/* The tree is refused with this status and message. */
void refuse_tree(const cmus_case_source_options *options, cmus_status wanted, const char *message);

/* Whether all pixels are those of the file of that name in the tree. */
bool is_image(const uint8_t *rgb, const char *name);

void expect_case(const cmus_case_source *source, int index, const char *id, const char *class_name, int tem);

void expect_name(cmus_case_source *source, int index, cmus_image_kind kind, int image, const char *wanted);

#endif
