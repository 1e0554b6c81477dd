#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "case_row.h"
#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "manifest_table.h"
#include "names.h"

static const size_t MANIFEST_LIMIT = (size_t)1 << 30;

static int compare_names(const void *a, const void *b) {
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int order = cmus_compare_natural(x, y);
    return order ? order : strcmp(x, y);
}

/* The classes that the lines name, sorted; LIMIT if there are too many. */
static cmus_status find_classes(const cmus_manifest_table *table, cmus_case_list *list) {
    for (size_t i = 0; i < table->count; i++) {
        const cmus_manifest_line *line = &table->lines[i];
        if (line->rejected && (!*line->class_name || !cmus_utf8_is_clean(line->class_name)))
            continue;
        if (cmus_case_list_class(list, line->class_name) >= 0)
            continue;
        if (list->class_count == CMUS_DATASET_CLASSES)
            return cmus_fail(CMUS_ERROR_LIMIT,
                             "%s: more classes than %d, which a data set can have; is the column right?", line->place,
                             CMUS_DATASET_CLASSES);
        cmus_case_list_add_class(list, line->class_name);
    }
    if (list->class_count)
        qsort(list->classes, list->class_count, sizeof *list->classes, compare_names);
    return CMUS_OK;
}

static void give_labels(cmus_manifest_table *table, const cmus_case_list *list) {
    for (size_t i = 0; i < table->count; i++) {
        cmus_manifest_line *line = &table->lines[i];
        line->row.label = cmus_case_list_class(list, line->class_name);
        if (line->row.label >= 0 || !*line->class_name)
            continue;
        char *what = cmus_format_string("the class %s is not among --classes", line->class_name);
        cmus_manifest_reject(table, line, true, "class", what);
        cmus_free(what);
    }
}

static void report_similar_patients(const cmus_manifest_table *table) {
    cmus_placed_name *names = cmus_allocate(table->count, sizeof *names);
    for (size_t i = 0; i < table->count; i++)
        names[i] = (cmus_placed_name){table->lines[i].patient_id, table->lines[i].place};
    cmus_names_report_similar_patients(names, table->count, table->options->identity, table->findings);
    cmus_free(names);
}

/* Class by class in the order of the lines, at last those of no class. */
static void add_rows(const cmus_manifest_table *table, cmus_case_list *list) {
    ptrdiff_t *image_of = cmus_allocate(table->file_count, sizeof *image_of);
    for (size_t i = 0; i < table->file_count; i++)
        image_of[i] = CMUS_NO_IMAGE;
    cmus_row_adder adder = {table->options, table->findings, list, image_of};
    for (int label = 0; label <= (int)list->class_count; label++)
        for (size_t i = 0; i < table->count; i++)
            if (table->lines[i].row.label == (label < (int)list->class_count ? label : -1))
                cmus_case_row_add(&adder, &table->lines[i].row);
    cmus_free(image_of);
}

static void report_empty_classes(const cmus_manifest_table *table, const cmus_case_list *list) {
    bool *found = cmus_allocate(list->class_count, sizeof *found);
    for (size_t i = 0; i < list->case_count; i++)
        if (list->cases[i].label >= 0)
            found[list->cases[i].label] = true;
    for (size_t i = 0; i < list->class_count; i++)
        if (!found[i])
            cmus_findings_add(table->findings, CMUS_WARNING, NULL, list->classes[i], "a class without cases");
    if (table->count == 0)
        cmus_findings_add(table->findings, CMUS_DEFECT, NULL, table->name, "no case is in there: only the header");
    cmus_free(found);
}

static cmus_status build_list(cmus_manifest_table *table, cmus_case_list *list) {
    const cmus_scan_options *options = table->options;
    cmus_manifest_check_files(table);
    for (size_t i = 0; options->classes && i < options->class_count; i++)
        cmus_case_list_add_class(list, options->classes[i]);
    if (!options->classes)
        CMUS_TRY(find_classes(table, list));
    give_labels(table, list);
    add_rows(table, list);
    cmus_case_row_report_equal_ids(table->findings, list, true);
    report_similar_patients(table);
    cmus_names_report_similar_classes((const char *const *)list->classes, list->class_count,
                                      options->classes ? NULL : options->identity, table->findings);
    report_empty_classes(table, list);
    return CMUS_OK;
}

cmus_status cmus_manifest_parse(const char *text, size_t size, const char *name, const char *folder,
                                const cmus_scan_options *options, cmus_findings *findings, cmus_case_list *list) {
    memset(list, 0, sizeof *list);
    memcpy(list->has, options->has, sizeof list->has);
    cmus_manifest_table table = {.name = name, .folder = folder, .options = options, .findings = findings};
    cmus_status status = cmus_manifest_table_parse(&table, text, size);
    if (status == CMUS_OK)
        status = build_list(&table, list);
    cmus_manifest_table_free(&table);
    return status;
}

cmus_status cmus_manifest_read(const char *path, const cmus_scan_options *options, cmus_findings *findings,
                               cmus_case_list *list) {
    memset(list, 0, sizeof *list);
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(path, MANIFEST_LIMIT, &text, &size));
    const char *slash = strrchr(path, '/');
    char *folder = slash ? cmus_format_string("%.*s", slash > path ? (int)(slash - path) : 1, path) : NULL;
    char *name = cmus_name_escape(options->identity ? "the manifest" : path); /* its folders may tell a name */
    cmus_status status = cmus_manifest_parse(text, size, name, folder ? folder : ".", options, findings, list);
    cmus_free(name);
    cmus_free(folder);
    cmus_free(text);
    return status;
}
