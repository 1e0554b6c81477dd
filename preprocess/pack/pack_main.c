/* cmus-pack: cases to HDF5 shards. */
#include "build.h"
#include "case_tree.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "describe.h"
#include "manifest.h"
#include "output_folder.h"
#include "pack_options.h"
#include "preview.h"
#include "verify.h"

static cmus_status judge(const cmus_pack_options *options, cmus_findings *findings) {
    cmus_findings_print(findings, NULL);
    if (findings->defects == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%zu defects, listed above; nothing was written to %s", findings->defects,
                     options->out);
}

static cmus_status pack_list(const cmus_pack_options *options, const char *folder, const cmus_case_list *list,
                             cmus_findings *findings) {
    char *path = cmus_path_join(folder, "spool"), *made = cmus_pack_options_describe(options);
    cmus_prepared_image *prepared = cmus_allocate(list->image_count, sizeof *prepared);
    cmus_build_options build = {.image_size = options->image_size,
                                .shard_mb = options->shard_mb,
                                .compression = options->compression,
                                .options = made};
    cmus_spool spool;
    cmus_status status = cmus_spool_open(path, options->image_size, &spool);
    if (status == CMUS_OK)
        status = cmus_prepare_images(list, options->image_size, &options->decode, &spool, findings, prepared);
    if (status == CMUS_OK)
        status = judge(options, findings);
    if (status == CMUS_OK)
        status = cmus_build_dataset(folder, list, prepared, &spool, &build);
    cmus_spool_close(&spool);
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
        status = options->manifest
                     ? cmus_manifest_read(options->manifest, &options->scan, &findings, &list)
                     : cmus_case_tree_scan(options->sources, options->source_count, &options->scan, &findings, &list);
    if (status == CMUS_OK)
        status = pack_list(options, folder.partial, &list, &findings);
    if (status == CMUS_OK)
        status = cmus_output_folder_commit(&folder);
    if (status == CMUS_OK && options->preview)
        status = cmus_preview_write(options->out, options->preview);
    if (status == CMUS_OK)
        cmus_info("%s: %zu cases, %zu images, %zu classes", options->out, list.case_count, list.image_count,
                  list.class_count);
    cmus_case_list_free(&list);
    cmus_findings_free(&findings);
    cmus_output_folder_end(&folder);
    return status;
}

/* Looks at a packed data set instead of making one. */
static cmus_status look(const cmus_pack_options *options, const char *folder) {
    CMUS_TRY(options->verify ? cmus_verify_dataset(folder) : CMUS_OK);
    CMUS_TRY(options->describe ? cmus_describe_dataset(folder) : CMUS_OK);
    return options->preview ? cmus_preview_write(folder, options->preview) : CMUS_OK;
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-pack");
    cmus_pack_options options;
    cmus_pack_options_parse(argc, argv, &options);
    const char *folder = options.verify     ? options.verify
                         : options.describe ? options.describe
                         : !options.out     ? options.sources[0]
                                            : NULL;
    cmus_status status = folder ? look(&options, folder) : pack(&options);
    cmus_pack_options_free(&options);
    return cmus_program_end(status);
}
