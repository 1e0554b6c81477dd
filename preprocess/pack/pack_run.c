#include "pack_run.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "case_tree.h"
#include "checks.h"
#include "cmus/dataset.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/output_folder.h"
#include "identity.h"
#include "list_text.h"
#include "manifest.h"
#include "prepare.h"
#include "preview.h"

/* What the steps of one run share. Only rank 0 has identity, folder and findings. */
typedef struct run {
    const cmus_communicator *communicator;
    const cmus_pack_options *options;
    cmus_identity *identity;
    cmus_output_folder folder;
    char *map;            /* where the map of ids goes */
    char *findings_aside; /* OUT.findings.csv */
    cmus_case_list list;
    cmus_findings findings;
    cmus_block_store store;
    cmus_prepared_image *prepared; /* [images of the store] */
} run;

static cmus_status find_cases(run *self) {
    const cmus_pack_options *options = self->options;
    cmus_scan_options scan = options->scan;
    scan.identity = self->identity;
    if (options->manifest)
        return cmus_manifest_read(options->manifest, &scan, &self->findings, &self->list);
    return cmus_case_tree_scan(options->sources, options->source_count, &scan, &self->findings, &self->list);
}

/* Rank 0's part before images are read. */
static cmus_status begin(run *self) {
    const cmus_pack_options *options = self->options;
    for (size_t i = 0; i < options->source_count; i++)
        if (cmus_path_lies_in(options->out, options->sources[i]))
            return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: must not lie in %s, where cases are looked for", options->out,
                             options->sources[i]);
    CMUS_TRY(cmus_output_folder_begin(options->out, &self->folder));
    if (options->preview)
        CMUS_TRY(cmus_output_folder_check_outside(&self->folder, options->preview));
    self->findings_aside = cmus_format_string("%s.findings.csv", self->folder.path);
    if (options->key_file) {
        self->map = options->map ? cmus_copy_string(options->map) : cmus_format_string("%s.map.csv", self->folder.path);
        CMUS_TRY(cmus_output_folder_check_outside(&self->folder, self->map));
        CMUS_TRY(cmus_identity_check_map(self->map));
        CMUS_TRY(cmus_identity_open(options->key_file, &self->identity));
    }
    return find_cases(self);
}

static cmus_status prepare(run *self, const char *scratch) {
    const cmus_pack_options *options = self->options;
    size_t continued = 0;
    cmus_prepare_options how = {options->filter, options->decode};
    self->store = cmus_block_store_of(scratch, options->image_size, self->list.image_count);
    self->prepared = cmus_allocate(self->list.image_count, sizeof *self->prepared);
    CMUS_TRY(cmus_prepare_images(self->communicator, &self->list, &self->store, &how, self->prepared, &continued));
    if (self->communicator->rank == 0 && continued)
        cmus_info("continued: %zu of %zu images were there", continued, self->list.image_count);
    return CMUS_OK;
}

/* For checks.h. */
static cmus_status give_gray(void *data, size_t image, uint8_t *gray) {
    const run *self = data;
    size_t count = (size_t)self->store.image_size * (size_t)self->store.image_size;
    int channels = self->prepared[image].gray ? 1 : 3;
    uint8_t *pixels = cmus_allocate_raw(count, (size_t)channels);
    cmus_status status = cmus_block_pixels(&self->store, image, &self->prepared[image], pixels);
    if (status == CMUS_OK)
        cmus_measure_gray(pixels, count, channels, gray);
    cmus_free(pixels);
    return status;
}

/* Writes findings.csv, and rejected.csv if cases may be left out, into the folder to be. */
static cmus_status write_lists(run *self) {
    char *findings = cmus_path_join(self->folder.partial, "findings.csv");
    char *rejected = cmus_path_join(self->folder.partial, "rejected.csv");
    cmus_status status = cmus_findings_write(findings, &self->findings);
    if (status == CMUS_OK && self->options->on_error == CMUS_SKIP)
        status = cmus_rejected_write(rejected, &self->list);
    cmus_free(findings);
    cmus_free(rejected);
    return status;
}

/* Rank 0's part after images are read: all findings, and whether they stop the run. Of a run that stops, the findings
 * are kept beside the data set that is not made. */
static cmus_status check(run *self) {
    const cmus_pack_options *options = self->options;
    CMUS_TRY(cmus_check_images(&self->list, self->prepared, options->image_size, give_gray, self, &self->findings));
    cmus_status verdict = cmus_checks_judge(&self->list, &self->findings, options->on_error);
    cmus_findings_print(&self->findings, verdict == CMUS_OK ? "findings.csv" : self->findings_aside);
    if (self->identity)
        CMUS_TRY(cmus_identity_write_map(self->identity, self->map));
    if (verdict == CMUS_OK)
        return write_lists(self);
    cmus_status written = cmus_findings_write(self->findings_aside, &self->findings);
    CMUS_TRY(written);
    cmus_checks_judge(&self->list, &self->findings, options->on_error); /* for its message */
    return verdict;
}

static const char *const further[] = {"findings.csv", "rejected.csv"};

static cmus_status build(run *self, int *shards) {
    const cmus_pack_options *options = self->options;
    char *made = cmus_pack_options_describe(options),
         *folder = cmus_broadcast_text(self->communicator, self->folder.partial);
    cmus_build_options how = {.image_size = options->image_size,
                              .shard_mb = options->shard_mb,
                              .compression = options->compression,
                              .options = made,
                              .further = further,
                              .further_count = options->on_error == CMUS_SKIP ? 2 : 1};
    cmus_status status =
        cmus_build_dataset(self->communicator, folder, &self->list, self->prepared, &self->store, &how, shards);
    cmus_free(folder);
    cmus_free(made);
    return status;
}

/* Rank 0's part when all files are written: the folder gets its name, if the data set opens as its users will open it.
 */
static cmus_status finish(run *self, int shards) {
    const cmus_pack_options *options = self->options;
    size_t count = 0, most = (size_t)shards + 4;
    char **names = cmus_allocate(most, sizeof *names);
    for (int i = 0; i < shards; i++)
        names[count++] = cmus_format_string("shard-%05d.h5", i);
    names[count++] = cmus_copy_string("dataset.json");
    names[count++] = cmus_copy_string("MANIFEST.sha256");
    names[count++] = cmus_copy_string(further[0]);
    if (options->on_error == CMUS_SKIP)
        names[count++] = cmus_copy_string(further[1]);
    cmus_status status = cmus_dataset_try(self->folder.partial);
    if (status == CMUS_OK)
        status = cmus_output_folder_commit(&self->folder, (const char *const *)names, count);
    cmus_names_free(names, count);
    CMUS_TRY(status);
    unlink(self->findings_aside); /* of a run that was stopped, if there was one */
    status = options->preview ? cmus_preview_write(self->folder.path, options->preview) : CMUS_OK;
    if (status != CMUS_OK)
        return cmus_fail_in(status, "%s is complete, but the page is not there", self->folder.path);
    cmus_info("%s: %zu cases, %zu images, %zu classes", self->folder.path, self->list.case_count,
              cmus_case_list_count_images(&self->list), self->list.class_count);
    return CMUS_OK;
}

static cmus_status steps(run *self) {
    const cmus_communicator *communicator = self->communicator;
    bool first = communicator->rank == 0;
    CMUS_TRY(cmus_agree(communicator, first ? begin(self) : CMUS_OK));
    cmus_case_list_broadcast(communicator, &self->list);
    char *scratch = cmus_broadcast_text(communicator, self->folder.scratch);
    int shards = 0;
    if (communicator->ranks > 1)
        cmus_output_folder_join(scratch);
    cmus_status status = prepare(self, scratch);
    if (status == CMUS_OK)
        status = cmus_agree(communicator, first ? check(self) : CMUS_OK);
    if (status == CMUS_OK) {
        cmus_case_list_drop_everywhere(communicator, &self->list);
        status = build(self, &shards);
    }
    if (status == CMUS_OK)
        status = cmus_agree(communicator, first ? finish(self, shards) : CMUS_OK);
    cmus_free(scratch);
    return status;
}

cmus_status cmus_pack_run(const cmus_communicator *communicator, const cmus_pack_options *options) {
    run self = {.communicator = communicator, .options = options, .folder.lock = -1};
    cmus_status status = steps(&self);
    if (status == CMUS_STOPPED) {
        cmus_fail_in(status, "%s", options->out);
        status = cmus_fail(status, "%s; the same command continues", cmus_last_error());
        cmus_output_folder_keep(&self.folder);
    }
    if (self.prepared)
        cmus_prepared_free(self.prepared, self.list.image_count);
    cmus_case_list_free(&self.list);
    cmus_findings_free(&self.findings);
    cmus_identity_close(self.identity);
    cmus_output_folder_end(&self.folder);
    cmus_free(self.map);
    cmus_free(self.findings_aside);
    return status;
}
