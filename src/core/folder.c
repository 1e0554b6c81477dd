/* Folders: making, listing, removing (the declarations are in file.h). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/memory.h"

bool cmus_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool cmus_folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

cmus_status cmus_folder_make(const char *path) {
    char *part = cmus_copy_string(path);
    int error = 0;
    for (char *slash = part + 1; !error; slash++) {
        char kept = *slash;
        if (kept && kept != '/')
            continue;
        *slash = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            error = errno;
        *slash = kept;
        if (!kept)
            break;
    }
    cmus_free(part);
    if (!error && !cmus_folder_exists(path))
        error = ENOTDIR;
    return error ? cmus_fail(CMUS_ERROR_IO, "can't make the folder %s: %s", path, strerror(error)) : CMUS_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

cmus_status cmus_folder_remove(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0 && errno == ENOENT)
        return CMUS_OK;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return cmus_fail(CMUS_ERROR_IO, "can't remove %s: %s", path, strerror(errno));
    return CMUS_OK;
}

cmus_status cmus_folder_sync(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = descriptor < 0 || fsync(descriptor) != 0;
    int error = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (failed && error != EINVAL) /* some network file systems can't flush a folder */
        return cmus_fail(CMUS_ERROR_IO, "can't flush the folder %s: %s", path, strerror(error));
    return CMUS_OK;
}

int cmus_compare_natural(const char *a, const char *b) {
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0')
                a++;
            while (*b == '0')
                b++;
            size_t digits_a = strspn(a, "0123456789"), digits_b = strspn(b, "0123456789");
            if (digits_a != digits_b)
                return digits_a < digits_b ? -1 : 1;
            int order = memcmp(a, b, digits_a);
            if (order)
                return order;
            a += digits_a;
            b += digits_b;
        } else {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
        }
    }
    return (*a != 0) - (*b != 0);
}

static int compare_names(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = cmus_compare_natural(x, y);
    return order ? order : strcmp(x, y); /* "01" and "1" have a fixed order too */
}

cmus_status cmus_folder_list(const char *path, char ***names, size_t *count) {
    *names = NULL;
    *count = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", path, strerror(errno));
    char **found = NULL;
    size_t capacity = 0, used = 0;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        found = cmus_grow(found, &capacity, used + 1, sizeof *found);
        found[used++] = cmus_copy_string(entry->d_name);
        errno = 0;
    }
    int error = errno;
    closedir(folder);
    if (error) {
        cmus_names_free(found, used);
        return cmus_fail(CMUS_ERROR_IO, "%s: %s", path, strerror(error));
    }
    if (used)
        qsort(found, used, sizeof *found, compare_names);
    *names = found;
    *count = used;
    return CMUS_OK;
}

void cmus_names_free(char **names, size_t count) {
    for (size_t i = 0; i < count; i++)
        cmus_free(names[i]);
    cmus_free(names);
}

char *cmus_path_join(const char *folder, const char *name) {
    size_t length = strlen(folder);
    return cmus_format_string(length && folder[length - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
}

bool cmus_path_lies_in(const char *path, const char *folder) {
    char real[PATH_MAX], place[PATH_MAX];
    if (!realpath(folder, real))
        return false;
    char *ancestor = cmus_copy_string(path);
    while (!realpath(*ancestor ? ancestor : ".", place)) {
        char *slash = strrchr(ancestor, '/');
        if (!*ancestor || (slash == ancestor && !ancestor[1]))
            break; /* not even the root can be looked at */
        if (slash == ancestor)
            slash[1] = 0;
        else
            *(slash ? slash : ancestor) = 0;
    }
    cmus_free(ancestor);
    size_t length = strlen(real);
    return strncmp(place, real, length) == 0 && (place[length] == 0 || place[length] == '/' || length == 1);
}
