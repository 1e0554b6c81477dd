#include "case_tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "identity.h"

/* What the functions of one scan share. */
typedef struct scan {
    const char *const *sources;
    size_t source_count;
    const cmus_scan_options *options;
    cmus_findings *findings;
    cmus_case_list *list;
} scan;

/* A folder of one patient in one class. */
typedef struct patient_folder {
    char *path, *name;
} patient_folder;

typedef struct patient_list {
    patient_folder *folders;
    size_t count, capacity;
} patient_list;

/* A finding of no case. */
static void note(const scan *self, cmus_severity severity, const char *path, const char *what) {
    char *shown = cmus_identity_path(self->options->identity, path);
    cmus_findings_add(self->findings, severity, NULL, shown, "%s", what);
    cmus_free(shown);
}

/* A name that can't go into a data set is a defect. */
static bool take_name(const scan *self, const char *path, const char *name) {
    if (cmus_utf8_is_clean(name) && 2 * strlen(name) + 1 < CMUS_ID_BYTES)
        return true;
    note(self, CMUS_DEFECT, path, "the name is not UTF-8 without control characters, or is too long; rename it");
    return false;
}

/* The modality that the file's name tells, or CMUS_IMAGE_KINDS if it is not that of an image. */
static int kind_of(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".tif", ".tiff"};
    const char *extension = strrchr(name, '.');
    bool image = false;
    for (size_t i = 0; extension && i < sizeof extensions / sizeof extensions[0]; i++)
        image = image || strcasecmp(extension, extensions[i]) == 0;
    for (int kind = 0; image && kind < CMUS_IMAGE_KINDS; kind++) {
        const char *wanted = cmus_image_kind_name((cmus_image_kind)kind);
        if (strncasecmp(name, wanted, strlen(wanted)) == 0 && name[strlen(wanted)] == '_')
            return kind;
    }
    return CMUS_IMAGE_KINDS;
}

/* The files of one patient's folder by their kind, in natural order: pointers into the listing. */
typedef struct case_files {
    char **names[CMUS_IMAGE_KINDS];
    size_t count[CMUS_IMAGE_KINDS];
} case_files;

static void sort_files(const scan *self, const patient_folder *folder, char **names, size_t count, case_files *files) {
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(folder->path, names[i]);
        int kind = kind_of(names[i]);
        if (!cmus_file_exists(path) || kind == CMUS_IMAGE_KINDS)
            note(self, CMUS_WARNING, path,
                 "is not used: no file named OM_..., IM_... or TEM_... with .jpg, .png or .tif");
        else if (take_name(self, path, names[i]))
            files->names[kind][files->count[kind]++] = names[i];
        cmus_free(path);
    }
}

/* The order of a case's modalities. */
static const cmus_image_kind kinds[] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};

/* Defects of a case that misses images; and a warning for images that are too many. */
static void check_case(const scan *self, size_t number, const case_files *files) {
    const cmus_source_case *one = &self->list->cases[number];
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++) {
        const char *name = cmus_image_kind_name(kinds[k]);
        size_t count = files->count[kinds[k]];
        if (count == 0) {
            char *what = cmus_format_string("a case without %s image: no file %s_... is there", name, name);
            cmus_findings_add(self->findings, CMUS_DEFECT, one->case_id, one->place, "%s", what);
            cmus_case_list_reject(self->list, number, what);
            cmus_free(what);
        }
        if (kinds[k] != CMUS_IMAGE_TEM && count > 1)
            cmus_findings_add(self->findings, CMUS_WARNING, one->case_id, one->place,
                              "has %zu %s images: the first, %s, is used and the others are not", count, name,
                              files->names[kinds[k]][0]);
    }
}

static size_t add_image(const scan *self, const char *folder, const char *case_id, const char *name,
                        cmus_image_kind kind, int number) {
    cmus_identity *identity = self->options->identity;
    char *path = cmus_path_join(folder, name), *source = cmus_path_join(case_id, name);
    size_t added = cmus_case_list_add_image(
        self->list, &(cmus_source_image){.path = path,
                                         .shown = cmus_identity_path(identity, path),
                                         .source = cmus_identity_source(identity, source, case_id, kind, number),
                                         .kind = kind});
    cmus_free(source);
    return added;
}

/* The case of a folder, and its images if it is complete. */
static void add_case(const scan *self, const patient_folder *folder, int label, const case_files *files) {
    cmus_case_list *list = self->list;
    cmus_identity *identity = self->options->identity;
    char *case_id = cmus_path_join(list->classes[label], folder->name);
    size_t number =
        cmus_case_list_add_case(list, &(cmus_source_case){.case_id = cmus_identity_case(identity, case_id),
                                                          .patient_id = cmus_identity_patient(identity, folder->name),
                                                          .place = cmus_identity_path(identity, folder->path),
                                                          .class_name = cmus_copy_string(list->classes[label]),
                                                          .label = label,
                                                          .om = CMUS_NO_IMAGE,
                                                          .im = CMUS_NO_IMAGE});
    cmus_source_case *one = &list->cases[number];
    check_case(self, number, files);
    if (!one->rejected) {
        one->om = (ptrdiff_t)add_image(self, folder->path, case_id, files->names[CMUS_IMAGE_OM][0], CMUS_IMAGE_OM, 0);
        one->im = (ptrdiff_t)add_image(self, folder->path, case_id, files->names[CMUS_IMAGE_IM][0], CMUS_IMAGE_IM, 0);
        one->first_tem = list->image_count;
        one->tem_count = (int)files->count[CMUS_IMAGE_TEM];
        for (int i = 0; i < one->tem_count; i++)
            add_image(self, folder->path, case_id, files->names[CMUS_IMAGE_TEM][i], CMUS_IMAGE_TEM, i);
    }
    cmus_free(case_id);
}

static cmus_status scan_case(const scan *self, const patient_folder *folder, int label) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(folder->path, &names, &count));
    case_files files = {0};
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        files.names[kind] = cmus_allocate(count, sizeof *names);
    sort_files(self, folder, names, count, &files);
    add_case(self, folder, label, &files);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++)
        cmus_free(files.names[kind]);
    cmus_names_free(names, count);
    return CMUS_OK;
}

static int compare_folders(const void *a, const void *b) {
    const patient_folder *x = a, *y = b;
    int order = cmus_compare_natural(x->name, y->name);
    if (!order)
        order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->path, y->path);
}

/* Adds the patient folders of one class folder to the list. */
static cmus_status list_patients(const scan *self, const char *class_path, patient_list *list) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(class_path, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(class_path, names[i]);
        if (!cmus_folder_exists(path))
            note(self, CMUS_WARNING, path, "is not used: not in a folder of a patient");
        else if (take_name(self, path, names[i])) {
            list->folders = cmus_grow(list->folders, &list->capacity, list->count + 1, sizeof *list->folders);
            list->folders[list->count++] = (patient_folder){cmus_copy_string(path), cmus_copy_string(names[i])};
        }
        cmus_free(path);
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}

static cmus_status scan_patients(const scan *self, const patient_list *list, int label) {
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0 && strcmp(list->folders[i].name, list->folders[i - 1].name) == 0) {
            char *other = cmus_identity_path(self->options->identity, list->folders[i - 1].path);
            char *what =
                cmus_format_string("the same class and patient are in %s too; put the files into one folder", other);
            note(self, CMUS_DEFECT, list->folders[i].path, what);
            cmus_free(other);
            cmus_free(what);
            continue;
        }
        CMUS_TRY(scan_case(self, &list->folders[i], label));
    }
    return CMUS_OK;
}

/* A class named on the command line may have no case here (a set to predict); an empty folder is a mistake. */
static void report_empty_class(const scan *self, const char *name) {
    if (self->options->classes)
        cmus_findings_add(self->findings, CMUS_WARNING, NULL, name, "a class without cases");
    else
        cmus_findings_add(self->findings, CMUS_DEFECT, NULL, name,
                          "a class folder without folders of patients; remove it, or name the classes by --classes");
}

static cmus_status scan_class(const scan *self, int label) {
    const char *name = self->list->classes[label];
    patient_list list = {0};
    cmus_status status = CMUS_OK;
    for (size_t s = 0; s < self->source_count && status == CMUS_OK; s++) {
        char *path = cmus_path_join(self->sources[s], name);
        if (cmus_folder_exists(path))
            status = list_patients(self, path, &list);
        cmus_free(path);
    }
    if (status == CMUS_OK && list.count == 0)
        report_empty_class(self, name);
    if (list.count)
        qsort(list.folders, list.count, sizeof *list.folders, compare_folders);
    if (status == CMUS_OK)
        status = scan_patients(self, &list, label);
    for (size_t i = 0; i < list.count; i++) {
        cmus_free(list.folders[i].path);
        cmus_free(list.folders[i].name);
    }
    cmus_free(list.folders);
    return status;
}

/* Looks at the entries of one source folder: class folders that are not known are new classes, or defects if the
 * classes are given. */
static cmus_status scan_source(const scan *self, const char *source) {
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(source, &names, &count));
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(source, names[i]);
        if (!cmus_folder_exists(path))
            note(self, CMUS_WARNING, path, "is not used: not in a folder of a class and patient");
        else if (take_name(self, path, names[i]) && cmus_case_list_class(self->list, names[i]) < 0) {
            if (self->options->classes)
                cmus_findings_add(self->findings, CMUS_DEFECT, NULL, path, "the class %s is not among --classes",
                                  names[i]);
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

cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const cmus_scan_options *options,
                                cmus_findings *findings, cmus_case_list *list) {
    memset(list, 0, sizeof *list);
    memcpy(list->has, options->has, sizeof list->has);
    scan self = {sources, source_count, options, findings, list};
    for (size_t i = 0; options->classes && i < options->class_count; i++)
        cmus_case_list_add_class(list, options->classes[i]);
    for (size_t s = 0; s < source_count; s++)
        CMUS_TRY(scan_source(&self, sources[s]));
    if (!options->classes && list->class_count)
        qsort(list->classes, list->class_count, sizeof *list->classes, compare_names);
    if (list->class_count > CMUS_DATASET_CLASSES)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: %zu class folders; a data set has at most %d classes", sources[0],
                         list->class_count, CMUS_DATASET_CLASSES);
    for (size_t i = 0; i < list->class_count; i++)
        CMUS_TRY(scan_class(&self, (int)i));
    if (list->case_count == 0 && findings->defects == 0)
        cmus_findings_add(findings, CMUS_DEFECT, NULL, sources[0],
                          "no case is in there; expected <class>/<patient>/OM_*.jpg, IM_*.jpg, TEM_*.jpg");
    return CMUS_OK;
}
