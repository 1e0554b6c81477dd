/* The files of a manifest's lines: which are there, which are the same, and which stand where they can't. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "manifest_table.h"
#include "names.h"

/* A file of a line, and what tells it from others. */
typedef struct entry {
    cmus_manifest_line *line;
    cmus_image_kind kind;
    size_t at; /* in the line's files of this kind */
    dev_t device;
    ino_t inode;
    const char *name;                               /* where files are not looked for */
    int problem;                                    /* errno, EISDIR for what is no file */
    bool repeated;                                  /* in its cell */
    const struct entry *other_patient, *other_kind; /* the same file there; NULL: it is not */
} entry;

typedef struct entry_list {
    entry *entries;
    size_t count, capacity;
} entry_list;

static int compare_files(const void *a, const void *b) {
    const cmus_row_file *x = a, *y = b;
    int order = cmus_compare_natural(x->name, y->name);
    return order ? order : strcmp(x->name, y->name);
}

static void add_file(cmus_manifest_table *table, cmus_manifest_line *line, cmus_image_kind kind, const char *name) {
    cmus_case_row *row = &line->row;
    if (!cmus_utf8_is_clean(name)) {
        char *what = cmus_format_string("the name of a %s file holds control characters, such as a line break",
                                        cmus_image_kind_name(kind));
        cmus_manifest_reject(table, line, false, "control", what);
        cmus_free(what);
        row->unusable[kind] = true;
        return;
    }
    row->files[kind] = cmus_grow(row->files[kind], &line->capacity[kind], row->count[kind] + 1, sizeof(cmus_row_file));
    bool joined = table->folder && strcmp(table->folder, ".") != 0 && *name != '/';
    row->files[kind][row->count[kind]++] = (cmus_row_file){
        .path = joined ? cmus_path_join(table->folder, name) : cmus_copy_string(name), .name = cmus_copy_string(name)};
}

void cmus_manifest_add_files(cmus_manifest_table *table, cmus_manifest_line *line, cmus_image_kind kind, char *cell) {
    char *rest = NULL;
    for (char *part = strtok_r(cell, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
        const char *name = cmus_name_trim(part);
        if (*name)
            add_file(table, line, kind, name);
    }
    if (line->row.count[kind])
        qsort(line->row.files[kind], line->row.count[kind], sizeof(cmus_row_file), compare_files);
}

static entry look_for(const cmus_manifest_table *table, cmus_manifest_line *line, cmus_image_kind kind, size_t at) {
    const cmus_row_file *file = &line->row.files[kind][at];
    entry found = {.line = line, .kind = kind, .at = at, .name = file->name};
    struct stat info;
    if (!table->folder)
        return found;
    if (stat(file->path, &info) != 0)
        found.problem = errno;
    else if (!S_ISREG(info.st_mode))
        found.problem = EISDIR;
    else {
        found.device = info.st_dev;
        found.inode = info.st_ino;
        found.name = ""; /* the same file may be named in several ways */
    }
    return found;
}

static void report_absent(cmus_manifest_table *table, const entry *found) {
    const cmus_row_file *file = &found->line->row.files[found->kind][found->at];
    char *shown = cmus_name_of_path(table->options->identity, file->path);
    const char *problem = found->problem == EISDIR ? "is no file" : strerror(found->problem);
    const char *hint = strchr(file->name, '\\') ? "; write / between folders instead of \\" : "";
    char *what = cmus_format_string("%s file %s: %s%s", cmus_image_kind_name(found->kind), shown, problem, hint);
    cmus_manifest_reject(table, found->line, false, "absent", what);
    cmus_free(what);
    cmus_free(shown);
}

static entry_list list_entries(cmus_manifest_table *table) {
    entry_list list = {0};
    for (size_t i = 0; i < table->count; i++)
        for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
            for (size_t at = 0; at < table->lines[i].row.count[kind]; at++) {
                list.entries = cmus_grow(list.entries, &list.capacity, list.count + 1, sizeof *list.entries);
                list.entries[list.count++] = look_for(table, &table->lines[i], (cmus_image_kind)kind, at);
            }
    return list;
}

static int compare_identity(const entry *x, const entry *y) {
    if (x->problem || y->problem)
        return (x->problem != 0) - (y->problem != 0); /* those that are not there: last */
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* By file, then in the order of the manifest. */
static int compare_entries(const void *a, const void *b) {
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    int order = compare_identity(x, y);
    return order ? order : (x > y) - (x < y);
}

static char *show_file(const cmus_manifest_table *table, const entry *one) {
    return cmus_name_of_path(table->options->identity, one->line->row.files[one->kind][one->at].path);
}

static void report_repetition(cmus_manifest_table *table, const entry *one) {
    char *shown = show_file(table, one);
    char *case_id = cmus_identity_case(table->options->identity, one->line->case_id);
    cmus_findings_add(table->findings, CMUS_WARNING, case_id, one->line->place,
                      "%s file %s is there twice; it is taken once", cmus_image_kind_name(one->kind), shown);
    cmus_free(case_id);
    cmus_free(shown);
}

/* Defect of a file that another line or cell has too. */
static void reject_shared(cmus_manifest_table *table, const entry *one, const entry *other, bool patient) {
    char *shown = show_file(table, one);
    char *what = patient ? cmus_format_string("%s file %s is also that of another patient (%s)",
                                              cmus_image_kind_name(one->kind), shown, other->line->place)
                         : cmus_format_string("%s file %s is also a %s file (%s)", cmus_image_kind_name(one->kind),
                                              shown, cmus_image_kind_name(other->kind), other->line->place);
    cmus_manifest_reject(table, one->line, true, patient ? "patient" : "modality", what);
    cmus_free(what);
    cmus_free(shown);
}

static bool has_other_patient(const entry *x, const entry *y) {
    return strcmp(x->line->patient_id, y->line->patient_id) != 0;
}

/* All entries of one file: gives it a number, and finds out who else has it. */
static void compare_owners(cmus_manifest_table *table, entry *const *entries, size_t count) {
    const entry *other_patient = NULL, *other_kind = NULL; /* than that of the first */
    for (size_t i = 1; i < count; i++) {
        if (!other_patient && has_other_patient(entries[i], entries[0]))
            other_patient = entries[i];
        if (!other_kind && entries[i]->kind != entries[0]->kind)
            other_kind = entries[i];
    }
    for (size_t i = 0; i < count; i++) {
        entry *one = entries[i];
        one->line->row.files[one->kind][one->at].number = table->file_count;
        one->repeated = i > 0 && one->line == entries[i - 1]->line && one->kind == entries[i - 1]->kind;
        one->other_patient = has_other_patient(one, entries[0]) ? entries[0] : other_patient;
        one->other_kind = one->kind != entries[0]->kind ? entries[0] : other_kind;
    }
    table->file_count++;
}

static void number_files(cmus_manifest_table *table, const entry_list *list) {
    entry **by_file = cmus_allocate(list->count, sizeof(entry *));
    for (size_t i = 0; i < list->count; i++)
        by_file[i] = &list->entries[i];
    if (list->count)
        qsort(by_file, list->count, sizeof(entry *), compare_entries);
    for (size_t first = 0, end; first < list->count && !by_file[first]->problem; first = end) {
        for (end = first + 1; end < list->count && compare_identity(by_file[end], by_file[first]) == 0;)
            end++;
        compare_owners(table, by_file + first, end - first);
    }
    cmus_free(by_file);
}

static void report(cmus_manifest_table *table, const entry *one) {
    if (one->problem)
        report_absent(table, one);
    else if (one->repeated)
        report_repetition(table, one);
    if (one->other_patient)
        reject_shared(table, one, one->other_patient, true);
    if (one->other_kind)
        reject_shared(table, one, one->other_kind, false);
}

/* Takes files that are not there or are repeated out of their lines. */
static void remove_files(cmus_manifest_table *table, const entry_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        const entry *one = &list->entries[i];
        cmus_row_file *file = &one->line->row.files[one->kind][one->at];
        if (!one->problem && !one->repeated)
            continue;
        cmus_free(file->path);
        cmus_free(file->name);
        file->path = file->name = NULL;
        one->line->row.unusable[one->kind] = true;
    }
    for (size_t i = 0; i < table->count; i++)
        for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
            cmus_case_row *row = &table->lines[i].row;
            size_t kept = 0;
            for (size_t k = 0; k < row->count[kind]; k++)
                if (row->files[kind][k].path)
                    row->files[kind][kept++] = row->files[kind][k];
            row->count[kind] = kept;
        }
}

void cmus_manifest_check_files(cmus_manifest_table *table) {
    entry_list list = list_entries(table);
    number_files(table, &list);
    for (size_t i = 0; i < list.count; i++)
        report(table, &list.entries[i]);
    remove_files(table, &list);
    cmus_free(list.entries);
}
