#include "case_tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "case_row.h"
#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "names.h"
#include "tree_files.h"

/* A folder of one patient in one class. */
typedef struct patient_folder {
    char *path;
    char *name;  /* raw */
    char *id;    /* the name, escaped */
    char *place; /* the path as it may be shown */
} patient_folder;

typedef struct patient_list {
    patient_folder *folders;
    size_t count, capacity;
} patient_list;

typedef struct name_list {
    char **names;
    size_t count, capacity;
} name_list;

/* What the functions of one scan share. */
typedef struct scan {
    const char *const *sources;
    size_t source_count;
    const cmus_scan_options *options;
    cmus_findings *findings;
    cmus_case_list *list;
    patient_list patients; /* of all classes */
    name_list strangers;   /* class folders that are no classes of the data set */
    size_t unwanted[CMUS_IMAGE_KINDS];
} scan;

static const char bad_name[] = "the name is not UTF-8 without control characters, or is too long; rename it";

/* Whether it can be a part of a case id. */
static bool is_good_name(const char *name) {
    return cmus_utf8_is_clean(name) && 2 * strlen(name) + 1 < CMUS_ID_BYTES;
}

/* A finding of no case. */
static void note(const scan *self, cmus_severity severity, const char *path, const char *what) {
    char *shown = cmus_name_of_path(self->options->identity, path);
    cmus_findings_add_kind(self->findings, what, severity, NULL, shown, "%s", what);
    cmus_free(shown);
}

static int compare_folders(const void *a, const void *b) {
    const patient_folder *x = a, *y = b;
    int order = cmus_compare_natural(x->name, y->name);
    if (!order)
        order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->path, y->path);
}

static void add_patient(scan *self, const char *path, const char *name) {
    patient_list *list = &self->patients;
    list->folders = cmus_grow(list->folders, &list->capacity, list->count + 1, sizeof *list->folders);
    list->folders[list->count++] = (patient_folder){.path = cmus_copy_string(path),
                                                    .name = cmus_copy_string(name),
                                                    .id = cmus_name_escape(name),
                                                    .place = cmus_name_of_path(self->options->identity, path)};
}

/* Adds the patient folders of one class folder. */
static void list_patients(scan *self, const char *class_path) {
    char **names;
    size_t count;
    const char *problem = cmus_tree_list(class_path, &names, &count);
    if (problem) {
        char *what = cmus_format_string("can't read the folder of a class: %s", problem);
        note(self, CMUS_DEFECT, class_path, what);
        cmus_free(what);
    }
    for (size_t i = 0; i < count; i++) {
        if (cmus_tree_is_litter(names[i]))
            continue;
        char *path = cmus_path_join(class_path, names[i]);
        if (cmus_folder_exists(path) || cmus_tree_is_dead_link(path))
            add_patient(self, path, names[i]);
        else
            note(self, CMUS_WARNING, path, "is not used: not in a folder of a patient");
        cmus_free(path);
    }
    cmus_names_free(names, count);
}

/* Whether another source has this patient of the class too; the folders of a class are sorted from `first` on. */
static const patient_folder *find_twin(const patient_list *list, size_t first, size_t number) {
    const patient_folder *one = &list->folders[number];
    if (number > first && strcmp(one[-1].name, one->name) == 0)
        return one - 1;
    if (number + 1 < list->count && strcmp(one[1].name, one->name) == 0)
        return one + 1;
    return NULL;
}

/* A defect of the whole case. */
static void reject(scan *self, cmus_case_row *row, char **why, const char *kind, char *what) {
    char *case_id = cmus_identity_case(self->options->identity, row->case_id);
    cmus_findings_add_kind(self->findings, kind, CMUS_DEFECT, case_id, row->place, "%s", what);
    cmus_free(case_id);
    if (*why)
        cmus_free(what);
    else
        *why = what;
    row->rejected = *why;
}

/* The case of patient folder `number`; label -1: `stranger` says why its class is none. */
static void scan_patient(scan *self, size_t first, size_t number, int label, const char *class_name,
                         const char *stranger) {
    const patient_folder *folder = &self->patients.folders[number], *twin = find_twin(&self->patients, first, number);
    char *class_id = cmus_name_escape(class_name), *case_id = cmus_path_join(class_id, folder->id), *why = NULL;
    cmus_case_row row = {.case_id = case_id,
                         .patient_id = folder->id,
                         .class_name = class_id,
                         .place = folder->place,
                         .label = label,
                         .rejected = stranger};
    if (!is_good_name(folder->name))
        reject(self, &row, &why, bad_name, cmus_copy_string(bad_name));
    else if (twin && !stranger)
        reject(
            self, &row, &why, "twin",
            cmus_format_string("the same class and patient are in %s too; put the files into one folder", twin->place));
    if (!stranger) {
        char *shown = cmus_identity_case(self->options->identity, case_id);
        cmus_tree_files_find(&(cmus_tree_files){.options = self->options,
                                                .findings = self->findings,
                                                .path = folder->path,
                                                .source = case_id,
                                                .case_id = shown,
                                                .row = &row,
                                                .unwanted = self->unwanted});
        cmus_free(shown);
    }
    cmus_case_row_add(&(cmus_row_adder){self->options, self->findings, self->list, NULL}, &row);
    cmus_tree_files_free(&row);
    cmus_free(why);
    cmus_free(class_id);
    cmus_free(case_id);
}

/* A class named on the command line may have no case here (a set to predict); an empty folder is a mistake. */
static void report_empty_class(const scan *self, const char *name) {
    if (self->options->classes)
        cmus_findings_add(self->findings, CMUS_WARNING, NULL, name, "a class without cases");
    else
        cmus_findings_add(self->findings, CMUS_DEFECT, NULL, name,
                          "a class folder without folders of patients; remove it, or name the classes by --classes");
}

/* One defect for the folder: all of its cases will be rejected. */
static void note_stranger(const scan *self, const char *path, const char *why) {
    note(self, CMUS_DEFECT, path, why);
    self->findings->list[self->findings->count - 1].of_rejected = true;
}

/* The cases of the class's folders in all sources. */
static void scan_class(scan *self, int label, const char *name, const char *stranger) {
    size_t first = self->patients.count;
    for (size_t s = 0; s < self->source_count; s++) {
        char *path = cmus_path_join(self->sources[s], name);
        if (cmus_folder_exists(path)) {
            if (stranger)
                note_stranger(self, path, stranger);
            list_patients(self, path);
        }
        cmus_free(path);
    }
    size_t count = self->patients.count - first;
    if (count == 0 && !stranger)
        report_empty_class(self, name);
    if (count)
        qsort(self->patients.folders + first, count, sizeof *self->patients.folders, compare_folders);
    for (size_t i = first; i < self->patients.count; i++)
        scan_patient(self, first, i, label, name, stranger);
}

static void add_stranger(scan *self, const char *name) {
    name_list *list = &self->strangers;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return;
    list->names = cmus_grow(list->names, &list->capacity, list->count + 1, sizeof *list->names);
    list->names[list->count++] = cmus_copy_string(name);
}

/* The entries of one source folder: a class folder that is not known is a new class, unless the classes are given. */
static cmus_status scan_source(scan *self, const char *source) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(source, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (cmus_tree_is_litter(names[i]))
            continue;
        char *path = cmus_path_join(source, names[i]);
        if (cmus_tree_is_dead_link(path))
            note(self, CMUS_DEFECT, path, "a symbolic link that leads nowhere");
        else if (!cmus_folder_exists(path))
            note(self, CMUS_WARNING, path, "is not used: not in a folder of a class and patient");
        else if (cmus_case_list_class(self->list, names[i]) < 0) {
            if (self->options->classes || !is_good_name(names[i]))
                add_stranger(self, names[i]);
            else
                cmus_case_list_add_class(self->list, names[i]);
        }
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}

static int compare_names(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = cmus_compare_natural(x, y);
    return order ? order : strcmp(x, y);
}

static cmus_status find_classes(scan *self) {
    const cmus_scan_options *options = self->options;
    cmus_case_list *list = self->list;
    for (size_t i = 0; options->classes && i < options->class_count; i++)
        cmus_case_list_add_class(list, options->classes[i]);
    for (size_t s = 0; s < self->source_count; s++)
        CMUS_TRY(scan_source(self, self->sources[s]));
    if (!options->classes && list->class_count)
        qsort(list->classes, list->class_count, sizeof *list->classes, compare_names);
    if (list->class_count > CMUS_DATASET_CLASSES)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: %zu class folders; a data set has at most %d classes", self->sources[0],
                         list->class_count, CMUS_DATASET_CLASSES);
    return CMUS_OK;
}

static void scan_strangers(scan *self) {
    for (size_t i = 0; i < self->strangers.count; i++) {
        const char *name = self->strangers.names[i];
        char *why = is_good_name(name) ? cmus_format_string("the class %s is not among --classes", name)
                                       : cmus_copy_string(bad_name);
        scan_class(self, -1, name, why);
        cmus_free(why);
    }
}

/* What is said of the whole tree. */
static void report(const scan *self) {
    cmus_placed_name *names = cmus_allocate(self->patients.count, sizeof *names);
    for (size_t i = 0; i < self->patients.count; i++)
        names[i] = (cmus_placed_name){self->patients.folders[i].id, self->patients.folders[i].place};
    cmus_names_report_similar_patients(names, self->patients.count, self->options->identity, self->findings);
    cmus_names_report_similar_classes((const char *const *)self->list->classes, self->list->class_count,
                                      self->findings);
    cmus_free(names);
    char *shown = cmus_name_of_path(self->options->identity, self->sources[0]);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        if (self->unwanted[kind])
            cmus_findings_add(self->findings, CMUS_WARNING, NULL, shown,
                              "%zu %s images are not used, as --modalities says", self->unwanted[kind],
                              cmus_image_kind_name((cmus_image_kind)kind));
    if (self->list->case_count == 0 && self->findings->defects == 0)
        cmus_findings_add(self->findings, CMUS_DEFECT, NULL, shown,
                          "no case is in there; expected <class>/<patient>/OM_*.jpg, IM_*.jpg, TEM_*.jpg");
    cmus_free(shown);
}

static void free_scan(scan *self) {
    for (size_t i = 0; i < self->patients.count; i++) {
        cmus_free(self->patients.folders[i].path);
        cmus_free(self->patients.folders[i].name);
        cmus_free(self->patients.folders[i].id);
        cmus_free(self->patients.folders[i].place);
    }
    cmus_free(self->patients.folders);
    cmus_names_free(self->strangers.names, self->strangers.count);
}

cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const cmus_scan_options *options,
                                cmus_findings *findings, cmus_case_list *list) {
    memset(list, 0, sizeof *list);
    memcpy(list->has, options->has, sizeof list->has);
    scan self = {
        .sources = sources, .source_count = source_count, .options = options, .findings = findings, .list = list};
    cmus_status status = find_classes(&self);
    for (size_t i = 0; status == CMUS_OK && i < list->class_count; i++)
        scan_class(&self, (int)i, list->classes[i], NULL);
    if (status == CMUS_OK) {
        scan_strangers(&self);
        report(&self);
    }
    free_scan(&self);
    return status;
}
