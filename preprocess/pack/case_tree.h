/* Cases found in folders: <class>/<patient>/<MODALITY>_....<ext>, MODALITY OM, IM or TEM. */
#ifndef CMUS_CASE_TREE_H
#define CMUS_CASE_TREE_H

#include <stddef.h>

#include "cmus/status.h"
#include "findings.h"

typedef struct cmus_tree_image {
    char *path;   /* where it is */
    char *source; /* <class>/<patient>/<file>, which goes into the data set */
} cmus_tree_image;

typedef struct cmus_tree_case {
    char *case_id, *patient_id;
    int label;
    size_t first_image; /* the OM image, then the IM image, then the TEM images */
    int tem_count;
} cmus_tree_case;

typedef struct cmus_case_tree {
    char **classes;
    size_t class_count, class_capacity;
    cmus_tree_case *cases; /* by class, then patients in natural order */
    size_t case_count, case_capacity;
    cmus_tree_image *images; /* those of a case lie together */
    size_t image_count, image_capacity;
} cmus_case_tree;

/* Looks through the source folders. Whatever is wrong with single cases or files becomes a finding, and such a case is
 * not in the tree. classes: the class names and their order, or NULL for all class folders in natural order. IO or
 * NOT_FOUND if a folder can't be read. Free the tree by cmus_case_tree_free(), also after a failure. */
cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const char *const *classes,
                                size_t class_count, cmus_findings *findings, cmus_case_tree *tree);
void cmus_case_tree_free(cmus_case_tree *tree);

#endif
