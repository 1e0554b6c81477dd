#include "case_tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"

/* The order in which a case's images lie in the tree. */
enum { OM, IM, TEM, MODALITIES };
static const char *const modality_names[MODALITIES] = {"OM", "IM", "TEM"};

/* What the functions of one scan share. */
typedef struct scan {
    const char *const *sources;
    size_t source_count;
    bool classes_given; /* on the command line; else every class folder is a class */
    cmus_findings *findings;
    cmus_case_tree *tree;
} scan;

/* A folder of one patient in one class. */
typedef struct patient_folder {
    char *path, *name;
} patient_folder;

typedef struct patient_list {
    patient_folder *folders;
    size_t count, capacity;
} patient_list;

/* Ids become texts in CSV files, JSON and HDF5: they must be UTF-8 without control characters. */
static bool is_clean_text(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        if (*c < 0x20 || *c == 0x7F)
            return false;
        int more = *c < 0x80                 ? 0
                   : *c >= 0xC2 && *c < 0xE0 ? 1
                   : *c >= 0xE0 && *c < 0xF0 ? 2
                   : *c >= 0xF0 && *c < 0xF5 ? 3
                                             : -1;
        if (more < 0 || (*c == 0xE0 && c[1] < 0xA0) || (*c == 0xED && c[1] > 0x9F) || (*c == 0xF0 && c[1] < 0x90) ||
            (*c == 0xF4 && c[1] > 0x8F))
            return false;
        for (c++; more > 0; more--, c++)
            if ((*c & 0xC0) != 0x80)
                return false;
    }
    return true;
}

/* A name that can't go into a data set is a defect. */
static bool take_name(const scan *self, const char *path, const char *name) {
    if (is_clean_text(name) && 2 * strlen(name) + 1 < CMUS_ID_BYTES)
        return true;
    cmus_findings_add(self->findings, CMUS_DEFECT, path,
                      "the name is not UTF-8 without control characters, or is too long; rename it");
    return false;
}

static int modality_of(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".tif", ".tiff"};
    const char *extension = strrchr(name, '.');
    bool image = false;
    for (size_t i = 0; extension && i < sizeof extensions / sizeof extensions[0]; i++)
        image = image || strcasecmp(extension, extensions[i]) == 0;
    for (int m = 0; image && m < MODALITIES; m++) {
        size_t length = strlen(modality_names[m]);
        if (strncasecmp(name, modality_names[m], length) == 0 && name[length] == '_')
            return m;
    }
    return MODALITIES;
}

static void add_image(cmus_case_tree *tree, const char *folder, const char *case_id, const char *name) {
    tree->images = cmus_grow(tree->images, &tree->image_capacity, tree->image_count + 1, sizeof *tree->images);
    tree->images[tree->image_count++] =
        (cmus_tree_image){.path = cmus_path_join(folder, name), .source = cmus_path_join(case_id, name)};
}

/* Sorts a patient folder's files by modality (by_modality [MODALITIES][count], in natural order). */
static void sort_files(const scan *self, const patient_folder *folder, char **names, size_t count,
                       char **by_modality[MODALITIES], size_t found[MODALITIES]) {
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(folder->path, names[i]);
        int modality = modality_of(names[i]);
        if (!cmus_file_exists(path) || modality == MODALITIES)
            cmus_findings_add(self->findings, CMUS_WARNING, path,
                              "is not used: no file named OM_..., IM_... or TEM_... with .jpg, .png or .tif");
        else if (take_name(self, path, names[i]))
            by_modality[modality][found[modality]++] = names[i];
        cmus_free(path);
    }
}

/* Defects of a case that miss images; and a warning for images that are too many. */
static bool check_case(const scan *self, const patient_folder *folder, char **by_modality[MODALITIES],
                       const size_t found[MODALITIES]) {
    bool complete = true;
    for (int m = 0; m < MODALITIES; m++) {
        if (found[m] == 0) {
            cmus_findings_add(self->findings, CMUS_DEFECT, folder->path,
                              "a case without %s image: no file %s_... is there", modality_names[m], modality_names[m]);
            complete = false;
        }
        if (m != TEM && found[m] > 1)
            cmus_findings_add(self->findings, CMUS_WARNING, folder->path,
                              "has %zu %s images: the first, %s, is used and the others are not", found[m],
                              modality_names[m], by_modality[m][0]);
    }
    return complete;
}

static cmus_status scan_case(const scan *self, const patient_folder *folder, int label) {
    cmus_case_tree *tree = self->tree;
    char **names, **by_modality[MODALITIES];
    size_t count, found[MODALITIES] = {0};
    CMUS_TRY(cmus_folder_list(folder->path, &names, &count));
    for (int m = 0; m < MODALITIES; m++)
        by_modality[m] = cmus_allocate(count, sizeof *names);
    sort_files(self, folder, names, count, by_modality, found);
    if (check_case(self, folder, by_modality, found)) {
        char *case_id = cmus_path_join(tree->classes[label], folder->name);
        tree->cases = cmus_grow(tree->cases, &tree->case_capacity, tree->case_count + 1, sizeof *tree->cases);
        tree->cases[tree->case_count++] = (cmus_tree_case){.case_id = case_id,
                                                           .patient_id = cmus_copy_string(folder->name),
                                                           .label = label,
                                                           .first_image = tree->image_count,
                                                           .tem_count = (int)found[TEM]};
        add_image(tree, folder->path, case_id, by_modality[OM][0]);
        add_image(tree, folder->path, case_id, by_modality[IM][0]);
        for (size_t i = 0; i < found[TEM]; i++)
            add_image(tree, folder->path, case_id, by_modality[TEM][i]);
    }
    for (int m = 0; m < MODALITIES; m++)
        cmus_free(by_modality[m]);
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
            cmus_findings_add(self->findings, CMUS_WARNING, path, "is not used: not in a folder of a patient");
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
            cmus_findings_add(self->findings, CMUS_DEFECT, list->folders[i].path,
                              "the same class and patient are in %s too; put the files into one folder",
                              list->folders[i - 1].path);
            continue;
        }
        CMUS_TRY(scan_case(self, &list->folders[i], label));
    }
    return CMUS_OK;
}

/* A class named on the command line may have no case here (a set to predict); an empty folder is a mistake. */
static void report_empty_class(const scan *self, const char *name) {
    if (self->classes_given)
        cmus_findings_add(self->findings, CMUS_WARNING, name, "a class without cases");
    else
        cmus_findings_add(self->findings, CMUS_DEFECT, name,
                          "a class folder without folders of patients; remove it, or name the classes by --classes");
}

static cmus_status scan_class(const scan *self, int label) {
    const char *name = self->tree->classes[label];
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

static void add_class(cmus_case_tree *tree, const char *name) {
    tree->classes = cmus_grow(tree->classes, &tree->class_capacity, tree->class_count + 1, sizeof *tree->classes);
    tree->classes[tree->class_count++] = cmus_copy_string(name);
}

static bool has_class(const cmus_case_tree *tree, const char *name) {
    for (size_t i = 0; i < tree->class_count; i++)
        if (strcmp(tree->classes[i], name) == 0)
            return true;
    return false;
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
            cmus_findings_add(self->findings, CMUS_WARNING, path,
                              "is not used: not in a folder of a class and patient");
        else if (take_name(self, path, names[i]) && !has_class(self->tree, names[i])) {
            if (self->classes_given)
                cmus_findings_add(self->findings, CMUS_DEFECT, path, "the class %s is not among --classes", names[i]);
            else
                add_class(self->tree, names[i]);
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

cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const char *const *classes,
                                size_t class_count, cmus_findings *findings, cmus_case_tree *tree) {
    memset(tree, 0, sizeof *tree);
    scan self = {sources, source_count, classes != NULL, findings, tree};
    for (size_t i = 0; classes && i < class_count; i++)
        add_class(tree, classes[i]);
    for (size_t s = 0; s < source_count; s++)
        CMUS_TRY(scan_source(&self, sources[s]));
    if (!classes && tree->class_count)
        qsort(tree->classes, tree->class_count, sizeof *tree->classes, compare_names);
    if (tree->class_count > CMUS_DATASET_CLASSES)
        return cmus_fail(CMUS_ERROR_LIMIT, "%s: %zu class folders; a data set has at most %d classes", sources[0],
                         tree->class_count, CMUS_DATASET_CLASSES);
    for (size_t i = 0; i < tree->class_count; i++)
        CMUS_TRY(scan_class(&self, (int)i));
    if (tree->case_count == 0 && findings->defects == 0)
        cmus_findings_add(findings, CMUS_DEFECT, sources[0],
                          "no case is in there; expected <class>/<patient>/OM_*.jpg, IM_*.jpg, TEM_*.jpg");
    return CMUS_OK;
}

void cmus_case_tree_free(cmus_case_tree *tree) {
    for (size_t i = 0; i < tree->class_count; i++)
        cmus_free(tree->classes[i]);
    for (size_t i = 0; i < tree->case_count; i++) {
        cmus_free(tree->cases[i].case_id);
        cmus_free(tree->cases[i].patient_id);
    }
    for (size_t i = 0; i < tree->image_count; i++) {
        cmus_free(tree->images[i].path);
        cmus_free(tree->images[i].source);
    }
    cmus_free(tree->classes);
    cmus_free(tree->cases);
    cmus_free(tree->images);
    memset(tree, 0, sizeof *tree);
}
