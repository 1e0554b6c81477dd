#include "case_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case_row.h"
#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "flat_tree.h"
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
        bool folder;
        if (cmus_tree_look(path, &folder) || folder) /* what can't be looked at is a defect of the case */
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

/* The name of a class folder that may be a patient's, if the source is not the folder that it should be. */
static char *show_class(const scan *self, const char *name) {
    return cmus_name_of_path(self->options->identity, name);
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

/* The case of patient folder `number`; CMUS_LABEL_STRANGE: `stranger` says why its class is none. */
static void scan_patient(scan *self, size_t first, size_t number, int label, const char *class_name,
                         const char *stranger) {
    const patient_folder *folder = &self->patients.folders[number], *twin = find_twin(&self->patients, first, number);
    char *class_id = stranger ? show_class(self, class_name) : cmus_name_escape(class_name),
         *case_id = cmus_path_join(class_id, folder->id), *why = NULL;
    cmus_case_row row = {.case_id = case_id,
                         .patient_id = folder->id,
                         .class_name = class_id,
                         .place = folder->place,
                         .label = label,
                         .rejected = stranger};
    const char *bad_name = cmus_tree_refuse_name(folder->name);
    if (bad_name)
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

/* A class named on the command line may have no case here, and none has to among cases to be predicted; else an empty
 * folder is a mistake. */
static void report_empty_class(const scan *self, const char *name) {
    if (self->options->classes || self->options->for_prediction) {
        cmus_findings_add(self->findings, CMUS_WARNING, NULL, name, "a class without cases");
        return;
    }
    char *shown = show_class(self, name);
    cmus_findings_add(self->findings, CMUS_DEFECT, NULL, shown,
                      "a class folder without folders of patients; remove it, or name the classes by --classes");
    cmus_free(shown);
}

/* One defect for the folder: all of its cases will be rejected. */
static void note_stranger(const scan *self, const char *path, const char *why) {
    char *shown = cmus_name_of_path(self->options->identity, path);
    cmus_findings_add_kind(self->findings, "class", CMUS_DEFECT, NULL, shown, "%s", why);
    cmus_free(shown);
    self->findings->list[self->findings->count - 1].of_rejected = true;
}

/* The patients of the class in one source, which may have none. */
static void scan_class_folder(scan *self, const char *path, const char *stranger) {
    struct stat info;
    bool folder;
    if (lstat(path, &info) != 0 && errno == ENOENT)
        return;
    const char *problem = cmus_tree_look(path, &folder);
    if (problem)
        note(self, CMUS_DEFECT, path, problem);
    if (stranger && folder)
        note_stranger(self, path, stranger);
    if (folder)
        list_patients(self, path);
}

/* The cases of the class's folders in all sources. */
static void scan_class(scan *self, int label, const char *name, const char *stranger) {
    size_t first = self->patients.count;
    for (size_t s = 0; s < self->source_count; s++) {
        char *path = cmus_path_join(self->sources[s], name);
        scan_class_folder(self, path, stranger);
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
    list->names = cmus_grow(list->names, &list->capacity, list->count + 1, sizeof *list->names);
    list->names[list->count++] = cmus_copy_string(name);
}

/* One entry of a source folder. A class folder that is not known is a new class, unless the classes are given. */
static cmus_status scan_entry(scan *self, const char *source, const char *path, const char *name) {
    bool folder, known = cmus_case_list_class(self->list, name) >= 0;
    const char *problem = cmus_tree_look(path, &folder);
    if (known && (problem || folder))
        return CMUS_OK; /* looked at with the class's folders of the other sources */
    if (problem)
        note(self, CMUS_DEFECT, path, problem);
    else if (!folder)
        note(self, CMUS_WARNING, path, "is not used: not in a folder of a class and patient");
    else if (self->options->classes || cmus_tree_refuse_name(name))
        add_stranger(self, name);
    else if (self->list->class_count == CMUS_DATASET_CLASSES)
        return cmus_fail(CMUS_ERROR_LIMIT,
                         "%s: more than %d class folders, but a data set has at most that many classes; is it the "
                         "folder that holds those of the classes?",
                         source, CMUS_DATASET_CLASSES);
    else
        cmus_case_list_add_class(self->list, name);
    return CMUS_OK;
}

static cmus_status scan_source(scan *self, const char *source) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(source, &names, &count));
    cmus_status status = CMUS_OK;
    if (access(source, X_OK) != 0) /* its names can be read, but nothing of what they are */
        status = cmus_fail(CMUS_ERROR_IO, "%s: %s", source, strerror(errno));
    for (size_t i = 0; i < count && status == CMUS_OK; i++) {
        if (cmus_tree_is_litter(names[i]))
            continue;
        char *path = cmus_path_join(source, names[i]);
        status = scan_entry(self, source, path, names[i]);
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return status;
}

static int compare_names(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = cmus_compare_natural(x, y);
    return order ? order : strcmp(x, y);
}

/* Each once: several sources may have the same. */
static void sort_strangers(name_list *list) {
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept && strcmp(list->names[kept - 1], list->names[i]) == 0)
            cmus_free(list->names[i]);
        else
            list->names[kept++] = list->names[i];
    list->count = kept;
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
    sort_strangers(&self->strangers);
    return CMUS_OK;
}

static void scan_strangers(scan *self) {
    for (size_t i = 0; i < self->strangers.count; i++) {
        const char *name = self->strangers.names[i];
        char *shown = show_class(self, name);
        const char *bad_name = cmus_tree_refuse_name(name);
        char *why =
            bad_name ? cmus_copy_string(bad_name) : cmus_format_string("the class %s is not among --classes", shown);
        scan_class(self, CMUS_LABEL_STRANGE, name, why);
        cmus_free(why);
        cmus_free(shown);
    }
}

/* Names that may be those of one patient, or of one class. */
static void report_similar(const scan *self) {
    cmus_placed_name *names = cmus_allocate(self->patients.count, sizeof *names);
    for (size_t i = 0; i < self->patients.count; i++)
        names[i] = (cmus_placed_name){self->patients.folders[i].id, self->patients.folders[i].place};
    cmus_names_report_similar_patients(names, self->patients.count, self->options->identity, self->findings);
    cmus_names_report_similar_classes((const char *const *)self->list->classes, self->list->class_count,
                                      self->options->classes ? NULL : self->options->identity, self->findings);
    cmus_free(names);
}

/* What is said of the whole tree. */
static void report(const scan *self) {
    bool for_prediction = self->options->for_prediction;
    if (!for_prediction)
        report_similar(self);
    char *shown = cmus_name_of_path(self->options->identity, self->sources[0]);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        if (self->unwanted[kind])
            cmus_findings_add(self->findings, CMUS_WARNING, NULL, shown,
                              "%zu %s images are not used, as --modalities says", self->unwanted[kind],
                              cmus_image_kind_name((cmus_image_kind)kind));
    if (self->list->case_count == 0 && self->findings->defects == 0)
        cmus_findings_add_kind(self->findings, "no case", CMUS_DEFECT, NULL, shown,
                               "no case is in there; expected <class>/<patient>/OM_*.jpg, IM_*.jpg, TEM_*.jpg%s",
                               for_prediction ? ", or <case>/OM_*.jpg, IM_*.jpg, TEM_*.jpg" : "");
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

static cmus_status scan_classes(scan *self) {
    CMUS_TRY(find_classes(self));
    for (size_t i = 0; i < self->list->class_count; i++)
        scan_class(self, (int)i, self->list->classes[i], NULL);
    scan_strangers(self);
    return CMUS_OK;
}

/* Of each source what it is like. Those with folders of classes are gone through together, as a class may lie in
 * several; they come first. */
static cmus_status scan_any(scan *self) {
    const char *const *sources = self->sources;
    size_t count = self->source_count;
    cmus_tree_form *forms = cmus_allocate(count, sizeof *forms);
    const char **of_classes = cmus_allocate(count, sizeof *of_classes);
    cmus_status status = CMUS_OK;
    self->source_count = 0;
    for (size_t s = 0; s < count && status == CMUS_OK; s++) {
        status = cmus_tree_recognise(self->options, sources[s], &forms[s]);
        if (status == CMUS_OK && forms[s] == CMUS_TREE_OF_CLASSES)
            of_classes[self->source_count++] = sources[s];
    }
    self->sources = of_classes;
    if (status == CMUS_OK)
        status = scan_classes(self);
    self->sources = sources;
    self->source_count = count;
    cmus_row_adder adder = {self->options, self->findings, self->list, NULL};
    for (size_t s = 0; s < count && status == CMUS_OK; s++)
        if (forms[s] != CMUS_TREE_OF_CLASSES)
            status = cmus_flat_tree_add(&adder, sources[s], forms[s], self->unwanted);
    cmus_free(of_classes);
    cmus_free(forms);
    return status;
}

cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const cmus_scan_options *options,
                                cmus_findings *findings, cmus_case_list *list) {
    memset(list, 0, sizeof *list);
    memcpy(list->has, options->has, sizeof list->has);
    scan self = {
        .sources = sources, .source_count = source_count, .options = options, .findings = findings, .list = list};
    cmus_status status = options->for_prediction ? scan_any(&self) : scan_classes(&self);
    if (status == CMUS_OK) {
        cmus_case_row_report_equal_ids(findings, list, false);
        report(&self);
    }
    free_scan(&self);
    return status;
}
