/* Trees without folders of classes: cases to be predicted, of which nothing is known yet. */
#ifndef CMUS_FLAT_TREE_H
#define CMUS_FLAT_TREE_H

#include "case_row.h"

/* What lies where in a tree; its images tell. */
typedef enum cmus_tree_form {
    CMUS_TREE_OF_CLASSES, /* <class>/<patient>/<MODALITY>_....<ext>; also a tree without images */
    CMUS_TREE_OF_CASES,   /* <case>/<MODALITY>_....<ext> */
    CMUS_TREE_CASE        /* <MODALITY>_....<ext>: the folder is a case itself */
} cmus_tree_form;

/* Looks how deep the images of the source folder lie. DATA, with an image of either depth, if they do at two of the
 * three; NOT_FOUND, IO if the folder can't be read. */
cmus_status cmus_tree_recognise(const cmus_scan_options *options, const char *source, cmus_tree_form *form);

/* Adds the cases of a source of one of the latter two forms; case and patient are called as the folder. unwanted
 * [CMUS_IMAGE_KINDS]: files of modalities that are not wanted are added to it. NOT_FOUND, IO. */
cmus_status cmus_flat_tree_add(const cmus_row_adder *adder, const char *source, cmus_tree_form form, size_t *unwanted);

#endif
