/* The course of cmus-predict: open, share out, predict, explain, write. */
#include <string.h>

#include "cmus/gemm.h"
#include "cmus/launch.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/output_folder.h"
#include "cmus/stop.h"
#include "cmus/wave.h"
#include "predict_internal.h"

static cmus_status open_source(prediction_run *run) {
    const cmus_predict_options *options = run->options;
    const cmus_member *first = &run->ensemble.members[0];
    cmus_case_source_options how = options->source;
    how.image_size = first->config.net.image_size;
    how.images = first->images;
    how.quiet = run->communicator->rank != 0;
    if (options->data)
        return cmus_case_source_open_data(options->data, options->fold, &how, &run->source);
    if (options->tree_count)
        return cmus_case_source_open_trees(options->trees, options->tree_count, &how, &run->source);
    return cmus_case_source_open_files(options->case_id ? options->case_id : "case", options->om, options->im,
                                       options->tem, options->tem_count, &how, &run->source);
}

static int class_number(const prediction_run *run, const char *name) {
    const cmus_config *config = &run->ensemble.members[0].config;
    for (int c = 0; c < config->class_count; c++)
        if (strcmp(config->classes[c], name) == 0)
            return c;
    return -1;
}

/* A known class must be one of the networks'; folders of others are no labels, and said so. */
static cmus_status check_classes(const prediction_run *run) {
    int unknown = 0;
    const char *example = NULL;
    for (int i = 0; i < cmus_case_source_count(run->source); i++) {
        const char *name = cmus_known_class(run, i);
        if (!*name || class_number(run, name) >= 0)
            continue;
        unknown++;
        example = name;
    }
    if (!unknown)
        return CMUS_OK;
    char *classes = cmus_config_value(&run->ensemble.members[0].config, &cmus_keys[0]);
    cmus_status status = cmus_fail(CMUS_ERROR_MISMATCH,
                                   "%d cases are of classes that the networks do not have, such as '%s'; theirs are %s",
                                   unknown, example, classes);
    cmus_free(classes);
    return status;
}

static cmus_status pick_class(prediction_run *run) {
    const char *name = run->options->class_name;
    run->explained = name ? class_number(run, name) : -1;
    if (!name || run->explained >= 0)
        return CMUS_OK;
    char *classes = cmus_config_value(&run->ensemble.members[0].config, &cmus_keys[0]);
    cmus_status status = cmus_fail(CMUS_ERROR_ARGUMENT, "--class %s: the networks' classes are %s", name, classes);
    cmus_free(classes);
    return status;
}

/* Not collective. */
static cmus_status open_input(prediction_run *run) {
    CMUS_TRY(cmus_blas_check());
    CMUS_TRY(cmus_ensemble_open(&run->options->ensemble, &run->ensemble));
    const cmus_config *config = &run->ensemble.members[0].config;
    run->classes = config->class_count;
    run->max_tem = config->max_tem;
    run->image_size = config->net.image_size;
    CMUS_TRY(pick_class(run));
    CMUS_TRY(open_source(run));
    if (cmus_case_source_count(run->source) == 0)
        return cmus_fail(CMUS_ERROR_DATA, "there are no cases to predict");
    return check_classes(run);
}

/* Collective. What the networks and cases are, in one text: the ranks may even have another number of networks. */
static cmus_status check_same(const prediction_run *run) {
    char *networks = cmus_format_string("%d networks", run->ensemble.count);
    for (int m = 0; m < run->ensemble.count; m++) {
        const cmus_member *member = &run->ensemble.members[m];
        char *longer = cmus_format_string("%s; %s of configuration %s", networks, member->sha256, member->config_hash);
        cmus_free(networks);
        networks = longer;
    }
    char *cases = cmus_case_source_fingerprint(run->source);
    cmus_status status = cmus_launch_same(run->communicator, "what the networks are", networks);
    if (status == CMUS_OK)
        status = cmus_launch_same(run->communicator, "what the cases are", cases);
    cmus_free(cases);
    cmus_free(networks);
    return status;
}

/* Each case to the rank with the least work; a case is one image or another, so that only its number of them counts. */
static void share_out(prediction_run *run) {
    int cases = cmus_case_source_count(run->source), ranks = run->communicator->ranks;
    double *cost = cmus_allocate((size_t)cases, sizeof *cost), *load = cmus_allocate((size_t)ranks, sizeof *load);
    int *rank_of = cmus_allocate((size_t)cases, sizeof *rank_of);
    for (int i = 0; i < cases; i++)
        cost[i] = cmus_used_tem(run, i) + 2;
    cmus_share_images(cost, cases, ranks, load, rank_of);
    run->own = cmus_allocate((size_t)cases, sizeof *run->own);
    for (int i = 0; i < cases; i++) {
        if (rank_of[i] != run->communicator->rank)
            continue;
        cmus_case_facts facts = cmus_case_source_case(run->source, i);
        cmus_case_prediction *prediction = &run->own[run->own_count++].prediction;
        size_t tem = (size_t)cmus_used_tem(run, i);
        *prediction =
            (cmus_case_prediction){.index = i,
                                   .tem_count = (int)tem,
                                   .each = cmus_allocate((size_t)run->ensemble.count, sizeof *prediction->each),
                                   .tem_weight = cmus_allocate(tem, sizeof(float)),
                                   .tem_distance = cmus_allocate(tem, sizeof(float)),
                                   .tem_kept = cmus_allocate(tem, sizeof(bool))};
        bool om = facts.has[CMUS_IMAGE_OM], im = facts.has[CMUS_IMAGE_IM];
        prediction->known[CMUS_HEAD_TEM] = true; /* the others look at TEM through the cross-modal attention */
        prediction->known[CMUS_HEAD_OM] = om;
        prediction->known[CMUS_HEAD_IM] = im;
        prediction->known[CMUS_HEAD_FUSION] = om && im;
    }
    cmus_free(rank_of);
    cmus_free(load);
    cmus_free(cost);
}

/* Collective. Which cases have failed, on every rank; DATA if all have. */
static cmus_status agree_on_failures(prediction_run *run) {
    int cases = cmus_case_source_count(run->source), failed = 0;
    double *flags = cmus_allocate((size_t)cases, sizeof *flags);
    for (int i = 0; i < run->own_count; i++)
        flags[run->own[i].prediction.index] = run->own[i].prediction.failed != NULL;
    cmus_sum_doubles(run->communicator, flags, (size_t)cases);
    run->left_out = cmus_allocate((size_t)cases, sizeof *run->left_out);
    for (int i = 0; i < cases; i++)
        failed += run->left_out[i] = flags[i] > 0;
    cmus_free(flags);
    return failed < cases ? CMUS_OK : cmus_fail(CMUS_ERROR_DATA, "none of the %d cases can be read", cases);
}

/* Collective. */
static cmus_status explain(prediction_run *run, const cmus_output_folder *out) {
    bool first = run->communicator->rank == 0;
    char *path = first ? cmus_path_join(out->partial, "explain") : NULL;
    char *folder = cmus_broadcast_text(run->communicator, path);
    cmus_free(path);
    cmus_status status = first ? cmus_folder_make(folder) : CMUS_OK;
    status = cmus_agree(run->communicator, status);
    if (status == CMUS_OK)
        status = cmus_agree(run->communicator, cmus_explained_write(run, folder));
    cmus_free(folder);
    return status;
}

/* By rank 0. Cases that are in no table, with their reasons. */
static cmus_status write_rejected(const prediction_run *run, const char *path, const cmus_case_prediction *all,
                                  bool *any) {
    int cases = cmus_case_source_count(run->source);
    int *failed = cmus_allocate((size_t)cases, sizeof *failed);
    const char **reasons = cmus_allocate((size_t)cases, sizeof *reasons);
    size_t count = 0;
    for (int i = 0; i < cases; i++)
        if (all[i].failed) {
            failed[count] = i;
            reasons[count++] = all[i].failed;
        }
    *any = count + cmus_case_source_rejected(run->source) > 0;
    cmus_status status = *any ? cmus_case_source_write_rejected(run->source, path, failed, reasons, count) : CMUS_OK;
    cmus_free(failed);
    cmus_free(reasons);
    return status;
}

static const char *plural(int count) {
    return count == 1 ? "" : "s";
}

/* How many are right, where anything is known. */
static void say_result(const prediction_run *run, const cmus_case_prediction *all) {
    int labelled = 0, right = 0, predicted = 0;
    for (int i = 0; i < cmus_case_source_count(run->source); i++) {
        if (all[i].failed)
            continue;
        predicted++;
        int known = class_number(run, cmus_known_class(run, i));
        labelled += known >= 0;
        right += known >= 0 && known == all[i].predicted;
    }
    char *what = cmus_format_string("%d case%s by %d network%s", predicted, plural(predicted), run->ensemble.count,
                                    plural(run->ensemble.count));
    if (labelled)
        cmus_info("%s: %s; %d of the %d with a known class are right", run->options->out, what, right, labelled);
    else
        cmus_info("%s: %s", run->options->out, what);
    cmus_free(what);
}

/* By rank 0. */
static cmus_status write_results(const prediction_run *run, cmus_output_folder *out, const cmus_case_prediction *all) {
    const char *names[] = {"predictions.csv", "predictions.json", "rejected.csv", "explain"}, *made[5];
    size_t count = 2;
    char *paths[4];
    for (int i = 0; i < 4; i++)
        paths[i] = cmus_path_join(out->partial, names[i]);
    bool rejected = false;
    cmus_status status = cmus_prediction_csv_write(run, paths[0], all);
    if (status == CMUS_OK)
        status = cmus_prediction_json_write(run, paths[1], all);
    if (status == CMUS_OK)
        status = write_rejected(run, paths[2], all, &rejected);
    if (status == CMUS_OK && run->options->explain)
        status = cmus_explained_index(run, paths[3], all);
    made[0] = names[0];
    made[1] = names[1];
    if (rejected)
        made[count++] = names[2];
    if (status == CMUS_OK) /* of tables; pages and pictures can be made again from them */
        status = cmus_manifest_write(out->partial, made, count);
    if (run->options->explain)
        made[count++] = names[3];
    made[count++] = "MANIFEST.sha256";
    if (status == CMUS_OK)
        status = cmus_output_folder_commit(out, made, count);
    for (int i = 0; i < 4; i++)
        cmus_free(paths[i]);
    return status;
}

/* Collective. */
static cmus_status write_all(prediction_run *run, cmus_output_folder *out) {
    if (run->options->explain)
        CMUS_TRY(explain(run, out));
    cmus_case_prediction *all;
    cmus_predictions_gather(run, &all);
    cmus_status status = all ? write_results(run, out, all) : CMUS_OK;
    status = cmus_agree(run->communicator, status);
    if (all && status == CMUS_OK)
        say_result(run, all);
    for (int i = 0; all && i < cmus_case_source_count(run->source); i++)
        cmus_case_prediction_free(&all[i], run->ensemble.count);
    cmus_free(all);
    return status;
}

/* By rank 0. An empty OUT.partial, outside of the cases, whose folders would have it among them. */
static cmus_status begin_output(const prediction_run *run, cmus_output_folder *out) {
    const cmus_predict_options *options = run->options;
    for (size_t i = 0; i < options->tree_count; i++)
        if (cmus_path_lies_in(options->out, options->trees[i]))
            return cmus_fail(CMUS_ERROR_ARGUMENT, "--out %s: must not lie among the cases in %s; name another place",
                             options->out, options->trees[i]);
    CMUS_TRY(cmus_output_folder_begin(options->out, out));
    return cmus_output_folder_clear(out);
}

static cmus_status steps(prediction_run *run, cmus_output_folder *out) {
    const cmus_communicator *communicator = run->communicator;
    CMUS_TRY(cmus_agree(communicator, communicator->rank == 0 ? begin_output(run, out) : CMUS_OK));
    CMUS_TRY(cmus_agree(communicator, open_input(run)));
    CMUS_TRY(check_same(run));
    share_out(run);
    run->pixels = cmus_case_pixels_create(run);
    cmus_info("%s kernels, products in %s", cmus_kernels_description(), cmus_products_description());
    CMUS_TRY(cmus_agree(communicator, cmus_predict_own(run)));
    CMUS_TRY(cmus_agree(communicator, agree_on_failures(run)));
    return write_all(run, out);
}

cmus_status cmus_predict(const cmus_communicator *communicator, const cmus_predict_options *options) {
    prediction_run run = {.communicator = communicator, .options = options};
    cmus_output_folder out = {.lock = -1};
    cmus_status status = steps(&run, &out);
    cmus_case_pixels_free(run.pixels);
    for (int i = 0; i < run.own_count; i++) {
        cmus_case_prediction_free(&run.own[i].prediction, run.ensemble.count);
        cmus_explanation_free(&run.own[i].explanation);
    }
    cmus_free(run.own);
    cmus_free(run.left_out);
    cmus_case_source_close(run.source);
    cmus_ensemble_free(&run.ensemble);
    cmus_output_folder_end(&out);
    return status;
}
