#include "flat_tree.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "names.h"
#include "tree_files.h"

/* The path of the first image that lies in the folder itself, or NULL. What can't be read has none: the scan says so.
 */
static char *find_image(const cmus_scan_options *options, const char *folder) {
    char **names, *found = NULL;
    size_t count;
    cmus_tree_list(folder, &names, &count);
    for (size_t i = 0; i < count && !found; i++) {
        if (!cmus_tree_is_image(options, names[i]))
            continue;
        found = cmus_path_join(folder, names[i]);
        if (cmus_folder_exists(found)) {
            cmus_free(found);
            found = NULL;
        }
    }
    cmus_names_free(names, count);
    return found;
}

/* The first image that lies `depth` folders below the folder, or NULL. */
static char *find_below(const cmus_scan_options *options, const char *folder, int depth) {
    if (depth == 0)
        return find_image(options, folder);
    char **names, *found = NULL;
    size_t count;
    cmus_tree_list(folder, &names, &count);
    for (size_t i = 0; i < count && !found; i++) {
        char *path = cmus_path_join(folder, names[i]);
        if (!cmus_tree_is_litter(names[i]) && cmus_folder_exists(path))
            found = find_below(options, path, depth - 1);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return found;
}

cmus_status cmus_tree_recognise(const cmus_scan_options *options, const char *source, cmus_tree_form *form) {
    static const cmus_tree_form forms[] = {CMUS_TREE_CASE, CMUS_TREE_OF_CASES, CMUS_TREE_OF_CLASSES}; /* by depth */
    char **names, *first = NULL;
    size_t count;
    CMUS_TRY(cmus_folder_list(source, &names, &count));
    cmus_names_free(names, count);
    cmus_status status = CMUS_OK;
    *form = CMUS_TREE_OF_CLASSES;
    for (int depth = 0; depth < 3 && status == CMUS_OK; depth++) {
        char *image = find_below(options, source, depth);
        if (image && first)
            status = cmus_fail(CMUS_ERROR_DATA,
                               "%s: images lie at two depths, as %s and %s do, so that it can't be told which folders "
                               "are cases; let all lie as <class>/<case>/OM_*.jpg, or all as <case>/OM_*.jpg",
                               source, first, image);
        else if (image) {
            first = image;
            image = NULL;
            *form = forms[depth];
        }
        cmus_free(image);
    }
    cmus_free(first);
    return status;
}

/* A folder of a case, and how it is called. */
static void add_case(const cmus_row_adder *adder, const char *path, const char *name, size_t *unwanted) {
    char *place = cmus_name_of_path(adder->options->identity, path), *id = cmus_name_escape(name),
         *shown = cmus_identity_case(adder->options->identity, id);
    cmus_case_row row = {.case_id = id,
                         .patient_id = id,
                         .class_name = "",
                         .place = place,
                         .label = CMUS_LABEL_UNKNOWN,
                         .rejected = cmus_tree_refuse_name(name)};
    if (row.rejected)
        cmus_findings_add_kind(adder->findings, row.rejected, CMUS_DEFECT, shown, place, "%s", row.rejected);
    cmus_tree_files_find(&(cmus_tree_files){.options = adder->options,
                                            .findings = adder->findings,
                                            .path = path,
                                            .source = id,
                                            .case_id = shown,
                                            .row = &row,
                                            .unwanted = unwanted});
    cmus_case_row_add(adder, &row);
    cmus_tree_files_free(&row);
    cmus_free(shown);
    cmus_free(id);
    cmus_free(place);
}

/* A source that is a case itself, also one that is given as "." or with a slash at its end. */
static cmus_status add_single(const cmus_row_adder *adder, const char *source, size_t *unwanted) {
    char *real = realpath(source, NULL);
    if (!real)
        return cmus_fail(CMUS_ERROR_IO, "%s: the folder can't be read", source);
    add_case(adder, source, strrchr(real, '/') + 1, unwanted);
    free(real);
    return CMUS_OK;
}

static void add_entry(const cmus_row_adder *adder, const char *path, const char *name, size_t *unwanted) {
    bool folder;
    if (cmus_tree_look(path, &folder) || folder) { /* what can't be looked at is a defect of the case */
        add_case(adder, path, name, unwanted);
        return;
    }
    char *shown = cmus_name_of_path(adder->options->identity, path);
    cmus_findings_add(adder->findings, CMUS_WARNING, NULL, shown, "is not used: not in a folder of a case");
    cmus_free(shown);
}

cmus_status cmus_flat_tree_add(const cmus_row_adder *adder, const char *source, cmus_tree_form form, size_t *unwanted) {
    if (form == CMUS_TREE_CASE)
        return add_single(adder, source, unwanted);
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(source, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(source, names[i]);
        if (!cmus_tree_is_litter(names[i]))
            add_entry(adder, path, names[i], unwanted);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}
