/* The output folder: cases/ (the case tree), masks/, truth.csv and MANIFEST.sha256, made aside and renamed at the end.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "phantom.h"

enum { OM, IM, FIRST_TEM, MAX_IMAGES = FIRST_TEM + PHANTOM_MAX_BAG, NAME_LENGTH = 128 };

/* How much of an image is deposit. */
typedef struct record {
    double mesangium, membrane;
} record;

/* The work on all cases and what is known when it is done. */
typedef struct tree {
    const phantom_options *options;
    const phantom_case *cases;
    const char *folder;
    record (*records)[MAX_IMAGES]; /* [cases] */
} tree;

static int image_count(const phantom_case *plan) {
    return FIRST_TEM + plan->tem_count;
}

/* "<class>/<patient>" */
static void case_name(const phantom_case *plan, char name[NAME_LENGTH]) {
    snprintf(name, NAME_LENGTH, "%s/P%04d", phantom_class_names[plan->class], plan->patient);
}

/* "cases/<class>/<patient>/TEM_<class>_<patient>_2.jpg", or the mask of that image. */
static void image_name(const phantom_case *plan, int image, bool is_mask, char name[NAME_LENGTH]) {
    const char *class = phantom_class_names[plan->class], *modality = image == OM ? "OM" : image == IM ? "IM" : "TEM";
    snprintf(name, NAME_LENGTH, "%s/%s/P%04d/%s_%s_P%04d_%d.%s", is_mask ? "masks" : "cases", class, plan->patient,
             modality, class, plan->patient, image < FIRST_TEM ? 1 : image - FIRST_TEM + 1, is_mask ? "png" : "jpg");
}

static record measure(const phantom_picture *picture) {
    int count = picture->size * picture->size, mesangium = 0, membrane = 0;
    for (int i = 0; i < count; i++) {
        mesangium += picture->mask[i] == PHANTOM_MASK_MESANGIUM;
        membrane += picture->mask[i] == PHANTOM_MASK_GBM;
    }
    return (record){(double)mesangium / count, (double)membrane / count};
}

static cmus_status write_image(const tree *work, const phantom_case *plan, int image, phantom_picture *picture) {
    picture->channels = image < FIRST_TEM ? 3 : 1;
    if (image == OM)
        phantom_draw_om(work->options, plan, picture);
    else if (image == IM)
        phantom_draw_im(work->options, plan, picture);
    else
        phantom_draw_tem(work->options, plan, image - FIRST_TEM, picture);
    work->records[plan->index][image] = measure(picture);
    char name[NAME_LENGTH];
    image_name(plan, image, false, name);
    char *path = cmus_path_join(work->folder, name);
    cmus_status status = phantom_write_jpeg(path, picture);
    cmus_free(path);
    if (status != CMUS_OK || image == OM)
        return status;
    image_name(plan, image, true, name);
    path = cmus_path_join(work->folder, name);
    status = phantom_write_mask(path, picture);
    cmus_free(path);
    return status;
}

static cmus_status make_case_folders(const tree *work, const phantom_case *plan) {
    char name[NAME_LENGTH];
    case_name(plan, name);
    char *images = cmus_format_string("%s/cases/%s", work->folder, name);
    char *masks = cmus_format_string("%s/masks/%s", work->folder, name);
    cmus_status status = cmus_folder_make(images);
    if (status == CMUS_OK)
        status = cmus_folder_make(masks);
    cmus_free(images);
    cmus_free(masks);
    return status;
}

static cmus_status write_case(const tree *work, const phantom_case *plan, phantom_picture *picture) {
    cmus_status status = make_case_folders(work, plan);
    for (int i = 0; i < image_count(plan) && status == CMUS_OK; i++)
        status = write_image(work, plan, i, picture);
    return status;
}

/* Cases are drawn by all threads; the first failure's message is handed to the calling thread. */
static cmus_status write_cases(const tree *work) {
    int size = work->options->size, count = work->options->cases, done = 0;
    cmus_status result = CMUS_OK;
    char *message = NULL;
    cmus_progress progress = {0};
    cmus_progress_begin(&progress, "drawn", "cases", count);
#pragma omp parallel
    {
        phantom_picture picture = {.size = size};
        picture.pixels = cmus_allocate((size_t)size * (size_t)size * 3, sizeof *picture.pixels);
        picture.mask = cmus_allocate((size_t)size * (size_t)size, 1);
#pragma omp for schedule(dynamic)
        for (int i = 0; i < count; i++) {
            cmus_status before;
#pragma omp atomic read
            before = result;
            cmus_status status = before == CMUS_OK ? write_case(work, &work->cases[i], &picture) : CMUS_OK;
#pragma omp critical(phantom_progress)
            {
                if (status != CMUS_OK && !message) {
                    message = cmus_copy_string(cmus_last_error());
#pragma omp atomic write
                    result = status;
                }
                cmus_progress_update(&progress, ++done);
            }
        }
        cmus_free(picture.pixels);
        cmus_free(picture.mask);
    }
    cmus_progress_end(&progress, done);
    if (result != CMUS_OK)
        result = cmus_fail(result, "%s", message);
    cmus_free(message);
    return result;
}

static void print_image(cmus_file_writer *writer, const phantom_case *plan, int image, record seen) {
    phantom_quality quality = image == OM ? PHANTOM_GOOD : image == IM ? plan->im : plan->tem[image - FIRST_TEM];
    char name[NAME_LENGTH], file[NAME_LENGTH], mask[NAME_LENGTH] = "";
    case_name(plan, name);
    image_name(plan, image, false, file);
    if (image != OM)
        image_name(plan, image, true, mask);
    cmus_file_writer_print(writer, "%s,P%04d,%s,%s,%s,%s,%s,%d,%.4f,%.4f,%.6f,%.6f\n", name, plan->patient,
                           phantom_class_names[plan->class],
                           image == OM   ? "OM"
                           : image == IM ? "IM"
                                         : "TEM",
                           file, mask, phantom_quality_names[quality], phantom_on_target(quality), plan->amount,
                           plan->mesangial, seen.mesangium, seen.membrane);
}

static cmus_status write_truth(const tree *work) {
    char *path = cmus_path_join(work->folder, "truth.csv");
    cmus_file_writer *writer;
    cmus_status status = cmus_file_writer_open(path, &writer);
    cmus_free(path);
    if (status != CMUS_OK)
        return status;
    cmus_file_writer_print(writer, "case_id,patient_id,class,modality,file,mask,quality,on_target,amount,"
                                   "mesangial_part,mesangium_area,membrane_area\n");
    for (int i = 0; i < work->options->cases; i++)
        for (int k = 0; k < image_count(&work->cases[i]); k++)
            print_image(writer, &work->cases[i], k, work->records[i][k]);
    return cmus_file_writer_commit(writer);
}

static cmus_status write_manifest(const tree *work) {
    size_t count = 0, capacity = 0;
    char **names = NULL;
    for (int i = 0; i < work->options->cases; i++)
        for (int k = 0; k < image_count(&work->cases[i]); k++)
            for (int mask = 0; mask < (k == OM ? 1 : 2); mask++) {
                char name[NAME_LENGTH];
                image_name(&work->cases[i], k, mask, name);
                names = cmus_grow(names, &capacity, count + 1, sizeof *names);
                names[count++] = cmus_copy_string(name);
            }
    names = cmus_grow(names, &capacity, count + 1, sizeof *names);
    names[count++] = cmus_copy_string("truth.csv");
    cmus_status status = cmus_manifest_write(work->folder, (const char *const *)names, count);
    for (size_t i = 0; i < count; i++)
        cmus_free(names[i]);
    cmus_free(names);
    return status;
}

static cmus_status check_output(const char *folder) {
    if (!cmus_folder_exists(folder))
        return cmus_file_exists(folder) ? cmus_fail(CMUS_ERROR_DATA, "%s: a file of that name is there", folder)
                                        : CMUS_OK;
    char **names;
    size_t count;
    CMUS_TRY(cmus_folder_list(folder, &names, &count));
    cmus_names_free(names, count);
    if (count > 0)
        return cmus_fail(CMUS_ERROR_DATA, "%s: not empty; name a new folder or remove this one", folder);
    return CMUS_OK;
}

/* Draws into `folder`, which has no slash at its end, so that what is made aside lies beside it. */
static cmus_status write_folder(const phantom_options *options, const char *folder) {
    CMUS_TRY(check_output(folder));
    phantom_case *cases = phantom_plan(options);
    char *aside = cmus_format_string("%s.%ld.partial", folder, (long)getpid());
    tree work = {options, cases, aside, NULL};
    work.records = cmus_allocate((size_t)options->cases, sizeof *work.records);
    cmus_status status = cmus_folder_make(aside);
    if (status == CMUS_OK)
        status = write_cases(&work);
    if (status == CMUS_OK)
        status = write_truth(&work);
    if (status == CMUS_OK)
        status = write_manifest(&work);
    if (status == CMUS_OK)
        status = cmus_file_take_over(aside, folder);
    if (status != CMUS_OK) { /* keep the message of what failed */
        char *message = cmus_copy_string(cmus_last_error());
        cmus_folder_remove(aside);
        status = cmus_fail(status, "%s", message);
        cmus_free(message);
    }
    cmus_free(work.records);
    cmus_free(aside);
    cmus_free(cases);
    return status;
}

cmus_status phantom_write_tree(const phantom_options *options, const char *folder) {
    char *name = cmus_copy_string(folder);
    for (size_t length = strlen(name); length > 1 && name[length - 1] == '/';)
        name[--length] = 0;
    cmus_status status = write_folder(options, name);
    cmus_free(name);
    return status;
}
