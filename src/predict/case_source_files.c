/* One case of files that are given one by one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case_images.h"
#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "names.h"

/* A file of the case, and what tells that it is there once. */
typedef struct given_file {
    const char *path;
    cmus_image_kind kind;
    dev_t device;
    ino_t inode;
} given_file;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* In the order of a folder's files, and those of different folders by their folders. */
static int compare_paths(const void *a, const void *b) {
    const given_file *x = a, *y = b;
    int order = cmus_compare_natural(base_name(x->path), base_name(y->path));
    return order ? order : strcmp(x->path, y->path);
}

static cmus_status look_at(given_file *file) {
    struct stat info;
    char *shown = cmus_name_escape(file->path);
    cmus_status status = CMUS_OK;
    if (stat(file->path, &info) != 0)
        status = cmus_fail(errno == ENOENT ? CMUS_ERROR_NOT_FOUND : CMUS_ERROR_IO, "%s: %s", shown, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = cmus_fail(CMUS_ERROR_IO, "%s: is no file", shown);
    else if (access(file->path, R_OK) != 0)
        status = cmus_fail(CMUS_ERROR_IO, "%s: %s", shown, strerror(errno));
    file->device = info.st_dev;
    file->inode = info.st_ino;
    cmus_free(shown);
    return status;
}

/* A file that is there twice stands in the place of another. */
static cmus_status check_files(given_file *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CMUS_TRY(look_at(&files[i]));
        for (size_t k = 0; k < i; k++)
            if (files[k].device == files[i].device && files[k].inode == files[i].inode)
                return cmus_fail(CMUS_ERROR_ARGUMENT,
                                 "%s, given as %s image, is the same file as %s, given as %s image", files[i].path,
                                 cmus_image_kind_name(files[i].kind), files[k].path,
                                 cmus_image_kind_name(files[k].kind));
    }
    return CMUS_OK;
}

static cmus_status check_case(const char *case_id, const char *om, const char *im, size_t tem_count,
                              bool allow_missing) {
    if (!*case_id || !cmus_utf8_is_clean(case_id) || strlen(case_id) > CMUS_ID_BYTES) {
        char *shown = cmus_utf8_shorten(case_id, 40);
        cmus_fail(
            CMUS_ERROR_ARGUMENT,
            "'%s' can't be the id of a case: it should be UTF-8 text without control characters, of 1 to %d bytes",
            shown, CMUS_ID_BYTES);
        cmus_free(shown);
        return CMUS_ERROR_ARGUMENT;
    }
    if (tem_count == 0)
        return cmus_fail(CMUS_ERROR_DATA, "a case without TEM image: %s", cmus_case_needs_tem);
    if ((!om || !im) && !allow_missing)
        return cmus_fail(CMUS_ERROR_DATA, "a case without %s: %s",
                         om   ? "IM image"
                         : im ? "OM image"
                              : "OM and IM images",
                         cmus_case_may_lack);
    return CMUS_OK;
}

static size_t add_image(cmus_case_list *list, const given_file *file) {
    return cmus_case_list_add_image(list, &(cmus_source_image){.path = cmus_copy_string(file->path),
                                                               .shown = cmus_name_escape(file->path),
                                                               .source = cmus_name_escape(base_name(file->path)),
                                                               .kind = file->kind});
}

/* files: OM and IM, if there are any, then TEM. */
static void fill_list(cmus_case_list *list, const char *case_id, const given_file *files, size_t count) {
    cmus_source_case one = {.case_id = cmus_copy_string(case_id),
                            .patient_id = cmus_copy_string(case_id),
                            .place = cmus_copy_string(""),
                            .class_name = cmus_copy_string(""),
                            .label = CMUS_LABEL_UNKNOWN,
                            .om = CMUS_NO_IMAGE,
                            .im = CMUS_NO_IMAGE};
    for (size_t i = 0; i < count; i++) {
        size_t image = add_image(list, &files[i]);
        if (files[i].kind == CMUS_IMAGE_OM)
            one.om = (ptrdiff_t)image;
        else if (files[i].kind == CMUS_IMAGE_IM)
            one.im = (ptrdiff_t)image;
        else if (one.tem_count++ == 0)
            one.first_tem = image;
    }
    cmus_case_list_add_case(list, &one);
}

/* Returns how many files there are in `files` [tem_count + 2]. */
static size_t collect(const char *om, const char *im, const char *const *tem, size_t tem_count, given_file *files) {
    size_t count = 0;
    if (om)
        files[count++] = (given_file){.path = om, .kind = CMUS_IMAGE_OM};
    if (im)
        files[count++] = (given_file){.path = im, .kind = CMUS_IMAGE_IM};
    for (size_t i = 0; i < tem_count; i++)
        files[count + i] = (given_file){.path = tem[i], .kind = CMUS_IMAGE_TEM};
    qsort(files + count, tem_count, sizeof *files, compare_paths);
    return count + tem_count;
}

cmus_status cmus_case_source_open_files(const char *case_id, const char *om, const char *im, const char *const *tem,
                                        size_t tem_count, const cmus_case_source_options *options,
                                        cmus_case_source **result) {
    cmus_case_images *images;
    *result = NULL;
    CMUS_TRY(check_case(case_id, om, im, tem_count, options->allow_missing));
    CMUS_TRY(cmus_case_images_make(options, &images));
    cmus_case_source *source = cmus_case_source_begin(&cmus_case_images_backend, images, tem[0], options);
    given_file *files = cmus_allocate(tem_count + 2, sizeof *files);
    size_t count = collect(om, im, tem, tem_count, files);
    cmus_status status = check_files(files, count);
    if (status == CMUS_OK) {
        fill_list(cmus_case_images_list(images), case_id, files, count);
        cmus_case_images_add(source, images);
    }
    cmus_free(files);
    return cmus_case_source_finish(source, options, status, result);
}
