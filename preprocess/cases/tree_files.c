#include "tree_files.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "names.h"

enum { EXTENSION_LETTERS = 5 }; /* longest that makes a kind of finding */

bool cmus_tree_is_litter(const char *name) {
    static const char *const litter[] = {"Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX", "@eaDir"};
    for (size_t i = 0; i < sizeof litter / sizeof litter[0]; i++)
        if (strcasecmp(name, litter[i]) == 0)
            return true;
    return false;
}

/* Whether the path is a symbolic link that leads nowhere, such as to a disk that is not there. */
static bool is_dead_link(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && stat(path, &info) != 0;
}

const char *cmus_tree_look(const char *path, bool *folder) {
    struct stat info;
    *folder = false;
    if (stat(path, &info) != 0) {
        const char *problem = strerror(errno);
        return is_dead_link(path) ? "a symbolic link that leads nowhere" : problem;
    }
    *folder = S_ISDIR(info.st_mode);
    return NULL;
}

const char *cmus_tree_refuse_name(const char *name) {
    return cmus_utf8_is_clean(name) && 2 * strlen(name) + 1 < CMUS_ID_BYTES
               ? NULL
               : "the name is not UTF-8 without control characters, or is too long; rename it";
}

const char *cmus_tree_list(const char *path, char ***names, size_t *count) {
    *names = NULL;
    *count = 0;
    if (access(path, R_OK | X_OK) != 0)
        return strerror(errno);
    return cmus_folder_list(path, names, count) == CMUS_OK ? NULL : "the folder can't be read";
}

static bool is_image_name(const char *name) {
    static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".tif", ".tiff"};
    const char *extension = strrchr(name, '.');
    for (size_t i = 0; extension && i < sizeof extensions / sizeof extensions[0]; i++)
        if (strcasecmp(extension, extensions[i]) == 0)
            return true;
    return false;
}

/* Length of the prefix if the name begins with it and "_", or without it if the prefix ends in no letter or digit. */
static size_t match_prefix(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    if (strncasecmp(name, prefix, length) != 0)
        return 0;
    bool closed = !isascii(prefix[length - 1]) || !isalnum((unsigned char)prefix[length - 1]);
    return closed || name[length] == '_' ? length : 0;
}

/* The modality that the name's longest prefix tells, or CMUS_IMAGE_KINDS. */
static int kind_of(const cmus_scan_options *options, const char *name) {
    int found = CMUS_IMAGE_KINDS;
    size_t longest = 0;
    for (size_t i = 0; i < options->prefix_count + CMUS_IMAGE_KINDS; i++) {
        bool own = i < CMUS_IMAGE_KINDS; /* a prefix given later wins over one that is as long */
        int kind = own ? (int)i : (int)options->prefixes[i - CMUS_IMAGE_KINDS].kind;
        const char *prefix =
            own ? cmus_image_kind_name((cmus_image_kind)kind) : options->prefixes[i - CMUS_IMAGE_KINDS].name;
        size_t length = match_prefix(name, prefix);
        if (length && length >= longest) {
            longest = length;
            found = kind;
        }
    }
    return found;
}

bool cmus_tree_is_image(const cmus_scan_options *options, const char *name) {
    return kind_of(options, name) != CMUS_IMAGE_KINDS && is_image_name(name);
}

/* The extension in small letters, if it is one: letters only and few of them. */
static void find_extension(const char *name, char extension[EXTENSION_LETTERS + 2]) {
    const char *dot = strrchr(name, '.');
    size_t length = 0;
    for (; dot && isascii(dot[length + 1]) && isalpha((unsigned char)dot[length + 1]) && length < EXTENSION_LETTERS;)
        length++;
    bool one = length > 0 && dot[length + 1] == 0;
    for (size_t i = 0; i < length + 1 && one; i++)
        extension[i] = (char)tolower((unsigned char)dot[i]);
    extension[one ? length + 1 : 0] = 0;
}

static void report_unused(const cmus_tree_files *self, const char *path, const char *name, int kind) {
    char *shown = cmus_name_of_path(self->options->identity, path), extension[EXTENSION_LETTERS + 2];
    find_extension(name, extension);
    if (cmus_folder_exists(path))
        cmus_findings_add(self->findings, CMUS_WARNING, self->case_id, shown,
                          "is not used: a folder in a patient's folder is not looked into");
    else if (kind != CMUS_IMAGE_KINDS)
        cmus_findings_add_kind(self->findings, extension, CMUS_WARNING, self->case_id, shown,
                               "is not used: named like %s image, but its ending is not .jpg, .jpeg, .png, .tif or "
                               ".tiff",
                               kind == CMUS_IMAGE_TEM  ? "a TEM"
                               : kind == CMUS_IMAGE_OM ? "an OM"
                                                       : "an IM");
    else if (is_image_name(name))
        cmus_findings_add(self->findings, CMUS_WARNING, self->case_id, shown,
                          "is not used: its name does not begin with OM_, IM_ or TEM_; --prefix says what other names "
                          "mean");
    else
        cmus_findings_add_kind(self->findings, extension, CMUS_WARNING, self->case_id, shown,
                               "is not used: by its name no image");
    cmus_free(shown);
}

/* Why an image file can't be used, or NULL. */
static const char *find_problem(const char *path, const char *name) {
    struct stat info;
    if (!cmus_utf8_is_clean(name))
        return "the name is not UTF-8 without control characters; rename it";
    if (is_dead_link(path))
        return "a symbolic link that leads nowhere";
    if (stat(path, &info) != 0)
        return strerror(errno);
    return S_ISREG(info.st_mode) ? NULL : "is no file";
}

static void reject_file(const cmus_tree_files *self, const char *path, const char *problem, cmus_image_kind kind) {
    char *shown = cmus_name_of_path(self->options->identity, path);
    cmus_findings_add_kind(self->findings, problem, CMUS_DEFECT, self->case_id, shown, "%s", problem);
    self->row->unusable[kind] = true;
    if (!self->row->spoilt)
        self->row->spoilt = cmus_format_string("%s: %s", shown, problem);
    cmus_free(shown);
}

static void add_file(const cmus_tree_files *self, cmus_image_kind kind, const char *path, const char *name) {
    cmus_case_row *row = self->row;
    row->files[kind][row->count[kind]++] =
        (cmus_row_file){.path = cmus_copy_string(path), .name = cmus_path_join(self->source, name)};
}

static void sort_file(const cmus_tree_files *self, const char *path, const char *name) {
    int kind = kind_of(self->options, name);
    if (kind == CMUS_IMAGE_KINDS || !is_image_name(name) || cmus_folder_exists(path)) {
        report_unused(self, path, name, kind);
        return;
    }
    const char *problem = find_problem(path, name);
    if (!self->options->has[kind])
        self->unwanted[kind]++;
    else if (problem)
        reject_file(self, path, problem, (cmus_image_kind)kind);
    else
        add_file(self, (cmus_image_kind)kind, path, name);
}

void cmus_tree_files_find(const cmus_tree_files *self) {
    char **names;
    size_t count;
    const char *problem = cmus_tree_list(self->path, &names, &count);
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
        self->row->files[kind] = cmus_allocate(count, sizeof(cmus_row_file));
        self->row->unusable[kind] = problem != NULL;
    }
    if (problem) {
        cmus_findings_add(self->findings, CMUS_DEFECT, self->case_id, self->row->place, "can't read the folder: %s",
                          problem);
        self->row->spoilt = cmus_format_string("can't read the folder: %s", problem);
    }
    for (size_t i = 0; i < count; i++) {
        char *path = cmus_path_join(self->path, names[i]);
        if (!cmus_tree_is_litter(names[i]))
            sort_file(self, path, names[i]);
        cmus_free(path);
    }
    cmus_names_free(names, count);
}

void cmus_tree_files_free(cmus_case_row *row) {
    for (int kind = 0; kind < CMUS_IMAGE_KINDS; kind++) {
        for (size_t i = 0; row->files[kind] && i < row->count[kind]; i++) {
            cmus_free(row->files[kind][i].path);
            cmus_free(row->files[kind][i].name);
        }
        cmus_free(row->files[kind]);
    }
    cmus_free((void *)row->spoilt);
}
