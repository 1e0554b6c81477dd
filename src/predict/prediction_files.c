/* predictions.csv and predictions.json. */
#include <jansson.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/prediction_table.h"
#include "cmus/program.h"
#include "cmus/run_identity.h"
#include "names.h"
#include "predict_internal.h"

const char *cmus_known_class(const prediction_run *run, int index) {
    const char *name = cmus_case_source_case(run->source, index).class_name;
    return name ? name : "";
}

static const char *class_name(const prediction_run *run, int number) {
    return run->ensemble.members[0].config.classes[number];
}

/* "om", "im", "om;im" or "". */
static const char *missing_text(const prediction_run *run, int index) {
    cmus_case_facts facts = cmus_case_source_case(run->source, index);
    if (facts.has[CMUS_IMAGE_OM])
        return facts.has[CMUS_IMAGE_IM] ? "" : "im";
    return facts.has[CMUS_IMAGE_IM] ? "om" : "om;im";
}

static void write_row(const prediction_run *run, cmus_file_writer *writer, const cmus_case_prediction *one) {
    cmus_case_facts facts = cmus_case_source_case(run->source, one->index);
    cmus_prediction_row row = {.case_id = facts.case_id,
                               .patient_id = facts.patient_id,
                               .label = cmus_known_class(run, one->index),
                               .tem_count = one->tem_count,
                               .tem_weight = one->tem_weight,
                               .tem_distance = one->tem_distance,
                               .tem_kept = one->tem_kept,
                               .mean_distance = one->mean_distance};
    for (int head = 0; head < CMUS_HEADS; head++)
        row.probabilities[head] = one->known[head] ? one->probabilities[head] : NULL;
    cmus_prediction_table_row(writer, &row, run->classes);
    cmus_file_writer_print(writer, ",");
    cmus_file_writer_csv(writer, class_name(run, one->predicted));
    cmus_file_writer_print(writer, ",%d,%s", run->ensemble.count, missing_text(run, one->index));
    for (int c = 0; c < run->classes; c++)
        if (one->known[CMUS_HEAD_FUSION])
            cmus_file_writer_print(writer, ",%.9g", one->spread[CMUS_HEAD_FUSION][c]);
        else
            cmus_file_writer_print(writer, ",");
    cmus_file_writer_print(writer, "\n");
}

cmus_status cmus_prediction_csv_write(const prediction_run *run, const char *path, const cmus_case_prediction *all) {
    const char *classes[CMUS_MAX_CLASSES];
    for (int c = 0; c < run->classes; c++)
        classes[c] = class_name(run, c);
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_prediction_table_header(writer, classes, run->classes);
    cmus_file_writer_print(writer, ",predicted,models,missing");
    for (int c = 0; c < run->classes; c++) {
        char *name = cmus_format_string("sd_%s", classes[c]);
        cmus_file_writer_print(writer, ",");
        cmus_file_writer_csv(writer, name);
        cmus_free(name);
    }
    cmus_file_writer_print(writer, "\n");
    for (int i = 0; i < cmus_case_source_count(run->source); i++)
        if (!all[i].failed)
            write_row(run, writer, &all[i]);
    return cmus_file_writer_commit(writer);
}

/* {"A": 0.2, "B": 0.8}; null if the head says nothing. */
static json_t *by_class(const prediction_run *run, const double *values, bool known) {
    if (!known)
        return json_null();
    json_t *object = json_object();
    for (int c = 0; c < run->classes; c++)
        json_object_set_new(object, class_name(run, c), json_real(values[c]));
    return object;
}

static json_t *by_head(const prediction_run *run, const cmus_case_prediction *one,
                       const double values[CMUS_HEADS][CMUS_MAX_CLASSES]) {
    json_t *object = json_object();
    for (int h = 0; h < CMUS_HEADS; h++) {
        cmus_head head = cmus_prediction_heads[h];
        json_object_set_new(object, cmus_head_names[head], by_class(run, values[head], one->known[head]));
    }
    return object;
}

static json_t *numbers(const float *values, int count) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real((double)values[i]));
    return list;
}

static json_t *flags(const bool *values, int count) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_boolean(values[i]));
    return list;
}

/* What one network says. */
static json_t *member_object(const prediction_run *run, const cmus_case_prediction *one,
                             const cmus_case_result *result) {
    double logits[CMUS_HEADS][CMUS_MAX_CLASSES] = {0};
    for (int head = 0; head < CMUS_HEADS; head++)
        for (int c = 0; c < run->classes; c++)
            logits[head][c] = (double)result->logits[head][c];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "logits", by_head(run, one, logits), "probabilities",
                     by_head(run, one, result->probabilities), "tem_weight",
                     numbers(result->tem_weight, one->tem_count), "tem_distance",
                     numbers(result->tem_distance, one->tem_count), "tem_kept", flags(result->tem_kept, one->tem_count),
                     "mean_distance", result->mean_distance);
}

/* The TEM images, in the order of the bag. */
static json_t *bag(const prediction_run *run, const cmus_case_prediction *one) {
    json_t *list = json_array();
    for (int i = 0; i < one->tem_count; i++) {
        char *name = cmus_case_source_image_name(run->source, one->index, CMUS_IMAGE_TEM, i);
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f, s:b}", "image", name, "weight", (double)one->tem_weight[i],
                                        "distance", (double)one->tem_distance[i], "kept", one->tem_kept[i]));
        cmus_free(name);
    }
    return list;
}

static json_t *case_object(const prediction_run *run, const cmus_case_prediction *one) {
    cmus_case_facts facts = cmus_case_source_case(run->source, one->index);
    json_t *missing = json_array(), *each = json_array();
    for (int m = 0; m < CMUS_MODALITIES; m++)
        if (!facts.has[m])
            json_array_append_new(missing, json_string(cmus_modality_names[m]));
    for (int m = 0; m < run->ensemble.count; m++)
        json_array_append_new(each, member_object(run, one, &one->each[m]));
    return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:f, s:o}", "case_id", facts.case_id, "patient_id",
                     facts.patient_id, "label", facts.class_name, "predicted", class_name(run, one->predicted),
                     "missing", missing, "probabilities", by_head(run, one, one->probabilities), "spread",
                     by_head(run, one, one->spread), "tem", bag(run, one), "mean_distance", one->mean_distance,
                     "models", each);
}

/* A path, whatever bytes it has. */
static json_t *path_text(const char *path) {
    char *clean = cmus_name_escape(path);
    json_t *text = json_string(clean);
    cmus_free(clean);
    return text;
}

static json_t *members_list(const prediction_run *run) {
    json_t *list = json_array();
    for (int m = 0; m < run->ensemble.count; m++) {
        const cmus_member *member = &run->ensemble.members[m];
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:s?, s:s?, s:s?}", "path", path_text(member->path),
                                              "sha256", member->sha256, "config_hash", member->config_hash,
                                              "dataset_hash", member->dataset_hash, "splits_hash", member->splits_hash,
                                              "fold", member->fold));
    }
    return list;
}

/* SHA-256 of the splits that the fold is of; null without --fold. */
static json_t *splits_hash(const cmus_predict_options *options) {
    char hash[CMUS_SHA256_TEXT];
    if (!options->fold)
        return json_null();
    char *path = cmus_path_join(options->data, "splits.csv");
    json_t *text = cmus_sha256_file(path, hash) == CMUS_OK ? json_string(hash) : json_null();
    cmus_free(path);
    return text;
}

static json_t *source_object(const prediction_run *run) {
    const cmus_predict_options *options = run->options;
    const char *kind = options->data ? "data" : options->tree_count ? "cases" : "files";
    json_t *paths = json_array();
    if (options->data)
        json_array_append_new(paths, path_text(options->data));
    for (size_t i = 0; i < options->tree_count; i++)
        json_array_append_new(paths, path_text(options->trees[i]));
    return json_pack("{s:s, s:o, s:s?, s:o, s:s?}", "kind", kind, "paths", paths, "dataset_hash",
                     cmus_case_source_dataset_hash(run->source), "splits_hash", splits_hash(options), "fold",
                     options->fold);
}

cmus_status cmus_prediction_json_write(const prediction_run *run, const char *path, const cmus_case_prediction *all) {
    json_t *classes = json_array(), *cases = json_array();
    for (int c = 0; c < run->classes; c++)
        json_array_append_new(classes, json_string(class_name(run, c)));
    for (int i = 0; i < cmus_case_source_count(run->source); i++)
        if (!all[i].failed)
            json_array_append_new(cases, case_object(run, &all[i]));
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "format", "cmus-predict 1", "version",
                               cmus_version(), "git_revision", cmus_git_revision(), "classes", classes, "models",
                               members_list(run), "source", source_object(run), "cases", cases);
    cmus_status status =
        object ? cmus_json_write(path, object)
               : cmus_fail(CMUS_ERROR_DATA, "%s: a name or path is no UTF-8 and can't stand in JSON", path);
    json_decref(object);
    return status;
}
