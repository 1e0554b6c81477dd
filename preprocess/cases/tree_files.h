/* The files of one patient's folder (case_tree.h): which images they are, by their names. */
#ifndef CMUS_TREE_FILES_H
#define CMUS_TREE_FILES_H

#include "case_row.h"

typedef struct cmus_tree_files {
    const cmus_scan_options *options;
    cmus_findings *findings;
    const char *path;   /* of the folder */
    const char *source; /* <class>/<patient> */
    char *case_id;      /* shown */
    cmus_case_row *row; /* gets the files, and why the case is spoilt */
    size_t *unwanted;   /* [CMUS_IMAGE_KINDS]: files of modalities that are not wanted are added to it */
} cmus_tree_files;

/* Sorts the files of the folder into the row, in natural order. Files that are not used are warned of, images that
 * can't be used are defects. Free by cmus_tree_files_free(), also after a failure. */
void cmus_tree_files_find(const cmus_tree_files *self);
void cmus_tree_files_free(cmus_case_row *row);

/* Whether file managers put this file or folder there: not looked at and not spoken of. */
bool cmus_tree_is_litter(const char *name);

/* Whether an entry of a folder is a folder itself, or else why that can't be told, such as a symbolic link that leads
 * nowhere, a name that is too long or a disk that does not answer; NULL: it can. *folder is false then. */
const char *cmus_tree_look(const char *path, bool *folder);

/* Whether the name is that of an image of a modality: by its prefix and its ending. */
bool cmus_tree_is_image(const cmus_scan_options *options, const char *name);

/* Why a folder of that name can't be a part of a case id, or NULL. */
const char *cmus_tree_refuse_name(const char *name);

/* Lists a folder; why that can't be done, also that its entries can't be looked at, or NULL. */
const char *cmus_tree_list(const char *path, char ***names, size_t *count);

#endif
