/* cmus-pack: cases to HDF5 shards. */
#include "build.h"
#include "case_tree.h"
#include "checks.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "output_folder.h"
#include "pack_options.h"
#include "verify.h"

typedef struct source {
    const cmus_spool *spool;
    const cmus_prepared_image *prepared;
} source;

static cmus_status give_gray(void *data, size_t image, uint8_t *gray) {
    const source *self = data;
    size_t count = self->spool->slot / 3, channels = self->prepared[image].gray ? 1 : 3;
    uint8_t *pixels = cmus_allocate_raw(count, channels);
    cmus_status status = cmus_spool_get(self->spool, image, pixels, count * channels);
    if (status == CMUS_OK)
        cmus_measure_gray(pixels, count, (int)channels, gray);
    cmus_free(pixels);
    return status;
}

static cmus_status check(const cmus_pack_options *options, cmus_case_list *list, const cmus_prepared_image *prepared,
                         const cmus_spool *spool, cmus_findings *findings) {
    source data = {spool, prepared};
    CMUS_TRY(cmus_check_images(list, prepared, options->image_size, give_gray, &data, findings));
    cmus_findings_print(findings);
    CMUS_TRY(cmus_checks_judge(list, findings, options->on_error));
    cmus_case_list_drop_rejected(list);
    return CMUS_OK;
}

static cmus_status pack_list(const cmus_pack_options *options, const char *folder, cmus_case_list *list,
                             cmus_findings *findings) {
    char *path = cmus_path_join(folder, "spool"), *made = cmus_pack_options_describe(options);
    cmus_prepared_image *prepared = cmus_allocate(list->image_count, sizeof *prepared);
    cmus_build_options build = {.image_size = options->image_size, .shard_mb = options->shard_mb, .options = made};
    cmus_spool spool;
    cmus_status status = cmus_spool_open(path, options->image_size, &spool);
    if (status == CMUS_OK)
        status = cmus_prepare_images(list, options->image_size, &options->decode, &spool, prepared);
    if (status == CMUS_OK)
        status = check(options, list, prepared, &spool, findings);
    if (status == CMUS_OK)
        status = cmus_build_dataset(folder, list, prepared, &spool, &build);
    cmus_spool_close(&spool);
    for (size_t i = 0; i < list->image_count; i++)
        cmus_free(prepared[i].damage);
    cmus_free(prepared);
    cmus_free(path);
    cmus_free(made);
    return status;
}

static cmus_status pack(const cmus_pack_options *options) {
    cmus_output_folder folder;
    cmus_case_list list = {0};
    cmus_findings findings = {0};
    cmus_status status = cmus_output_folder_begin(options->out, &folder);
    if (status == CMUS_OK)
        status = cmus_case_tree_scan(options->sources, options->source_count, &options->scan, &findings, &list);
    if (status == CMUS_OK)
        status = pack_list(options, folder.partial, &list, &findings);
    if (status == CMUS_OK)
        status = cmus_output_folder_commit(&folder);
    if (status == CMUS_OK)
        cmus_info("%s: %zu cases, %zu images, %zu classes", options->out, list.case_count, list.image_count,
                  list.class_count);
    cmus_case_list_free(&list);
    cmus_findings_free(&findings);
    cmus_output_folder_end(&folder);
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-pack");
    cmus_pack_options options;
    cmus_pack_options_parse(argc, argv, &options);
    cmus_status status = options.verify ? cmus_verify_dataset(options.verify) : pack(&options);
    cmus_pack_options_free(&options);
    return cmus_program_end(status);
}
