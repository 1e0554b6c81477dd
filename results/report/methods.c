#include "report/methods.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "report/bootstrap.h"
#include "report/config_text.h"
#include "report/data_summary.h"
#include "report/report_text.h"
#include "report/run_facts.h"

/* Writes BEFORE VALUE BEHIND if the configuration has the key: `before` and `behind` are HTML. */
static void write_key(cmus_file_writer *writer, const char *config, const char *before, const char *key,
                      const char *behind) {
    char *value = report_config_value(config, key);
    if (value) {
        cmus_file_writer_print(writer, "%s", before);
        cmus_file_writer_html(writer, value);
        cmus_file_writer_print(writer, "%s", behind);
    }
    cmus_free(value);
}

/* "[2, 2, 18, 2]" without its brackets. */
static void write_stages(cmus_file_writer *writer, const char *config, const char *before, const char *key) {
    char *value = report_config_value(config, key);
    if (value) {
        value[strcspn(value, "]")] = 0;
        cmus_file_writer_print(writer, "%s", before);
        cmus_file_writer_html(writer, value + (*value == '['));
    }
    cmus_free(value);
}

static bool has_number(const char *config, const char *key) {
    char *value = report_config_value(config, key);
    bool has = value && strtod(value, NULL) != 0;
    cmus_free(value);
    return has;
}

static void write_modalities(cmus_file_writer *writer, const report_evaluation *evaluation, const char *config) {
    static const char *const names[REPORT_HEADS] = {
        [REPORT_OM] = "optical microscopy (OM)",
        [REPORT_IM] = "immunofluorescence (IM)",
        [REPORT_TEM] = "transmission electron microscopy (TEM",
    };
    int last = REPORT_TEM, before = 0;
    while (last && !evaluation->heads[last].present)
        last--;
    for (int head = REPORT_FUSION + 1; head <= last; head++) {
        if (!evaluation->heads[head].present)
            continue;
        cmus_file_writer_print(writer, "%s%s", !before ? " from " : head == last ? " and " : ", ", names[head]);
        if (head == REPORT_TEM) {
            write_key(writer, config, ", up to ", "max_tem", " images a case");
            cmus_file_writer_print(writer, ")");
        }
        before++;
    }
}

static void write_network(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const char *config = evaluation->used[0]->config;
    const json_t *parameters = json_object_get(evaluation->used[0]->information, "parameters");
    cmus_file_writer_print(writer, "<p>Cases were classified by CMUS-Net (Long et al., arXiv 2512.15171)");
    write_modalities(writer, evaluation, config);
    cmus_file_writer_print(writer, ". Each modality has a Swin Transformer of its own");
    write_stages(writer, config, " with stages of ", "depths");
    if (has_number(config, "embed_dim"))
        write_key(writer, config, " blocks and ", "embed_dim", " channels in the first stage");
    if (json_is_integer(parameters))
        cmus_file_writer_print(writer, "; the whole network has %.2f million parameters",
                               (double)json_integer_value(parameters) / 1e6);
    cmus_file_writer_print(writer, ".");
    if (report_config_is(config, "tem_pooling", "smil"))
        write_key(writer, config,
                  " The TEM images of a case were joined by sparse multi-instance learning, which leaves out images "
                  "farther from the central one than ",
                  "distance_t", " times the mean distance.");
    if (report_config_is(config, "attention", "cmsa"))
        cmus_file_writer_print(writer, " OM and IM features were related to those of TEM by cross-modal scale "
                                       "attention.");
    else if (report_config_is(config, "attention", "multihead"))
        write_key(writer, config,
                  " OM and IM features were related to those of TEM by multi-head cross-attention with ",
                  "attention_heads", " heads.");
    cmus_file_writer_print(writer, "</p>\n");
}

static void write_data(cmus_file_writer *writer, const report_evaluation *evaluation) {
    report_class_summary *classes = cmus_allocate(evaluation->classes, sizeof *classes);
    report_data_summary(evaluation, classes);
    size_t images = 0;
    cmus_file_writer_print(writer, "<p>The %s comprised %zu cases of %zu patients (",
                           evaluation->run->external ? "external test set" : "data set", evaluation->different_cases,
                           evaluation->patients);
    for (size_t i = 0; i < evaluation->classes; i++) {
        cmus_file_writer_print(writer, "%s", i ? ", " : "");
        cmus_file_writer_html(writer, evaluation->class_names[i]);
        cmus_file_writer_print(writer, ": %zu", classes[i].cases);
        images += classes[i].tem_images;
    }
    cmus_file_writer_print(writer, ")");
    if (evaluation->heads[REPORT_TEM].present)
        cmus_file_writer_print(writer, ", of which %zu TEM images were used, %.1f a case", images,
                               (double)images / (double)evaluation->different_cases);
    const char *config = evaluation->used[0]->config;
    write_key(writer, config, ". Images were resized to ", "image_size", " pixels a side");
    cmus_file_writer_print(writer, ".</p>\n");
    cmus_free(classes);
}

static void write_folds(cmus_file_writer *writer, const report_evaluation *evaluation) {
    long folds = evaluation->used[0]->folds;
    size_t repeats = folds > 0 ? evaluation->run->expected / (size_t)folds : 1;
    cmus_file_writer_print(writer, "<p>Performance was estimated by %ld-fold cross-validation", folds);
    if (repeats > 1)
        cmus_file_writer_print(writer, ", repeated %zu times", repeats);
    cmus_file_writer_print(writer,
                           " with folds grouped by patient: no patient was in two folds%s, and each case was "
                           "predicted by a network that had not seen its patient.",
                           repeats > 1 ? " of one repeat" : "");
    if (evaluation->partial)
        cmus_file_writer_print(writer, " <strong>Only %zu of %zu folds are in this report.</strong>", evaluation->folds,
                               evaluation->run->expected);
}

static void write_augmentation(cmus_file_writer *writer, const char *config) {
    bool horizontal = report_config_is(config, "flip_horizontal", "true");
    bool vertical = report_config_is(config, "flip_vertical", "true");
    if (horizontal || vertical)
        cmus_file_writer_print(writer, " Training images were flipped %s at random.",
                               horizontal && vertical ? "horizontally and vertically"
                               : horizontal           ? "horizontally"
                                                      : "vertically");
}

static void write_rate(cmus_file_writer *writer, const char *config) {
    write_key(writer, config, ", a learning rate that falls from ", "lr", "");
    write_key(writer, config, " to ", "lr_min", " along a cosine");
    if (has_number(config, "warmup_epochs"))
        write_key(writer, config, " after ", "warmup_epochs", " epochs of warm-up");
}

static void write_training(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const char *config = evaluation->used[0]->config, *init = report_run_text(evaluation, "init");
    write_key(writer, config, " Networks were trained for ", "epochs", " epochs by Adam (amsgrad)");
    write_key(writer, config, " with batches of ", "batch", " cases");
    write_rate(writer, config);
    write_key(writer, config, ", weight decay ", "weight_decay", "");
    write_key(writer, config, ", stochastic depth ", "drop_path", "");
    write_key(writer, config, " and dropout ", "dropout", "");
    if (init) {
        cmus_file_writer_print(writer, ", starting from the weights <code>");
        cmus_file_writer_html(writer, init);
        cmus_file_writer_print(writer, "</code>");
    } else if (json_is_null(json_object_get(evaluation->used[0]->information, "init"))) {
        cmus_file_writer_print(writer, ", starting from random weights");
    }
    cmus_file_writer_print(writer, ".");
    write_key(writer, config, " The loss was the sum of cross-entropies, weighted ", "loss_weight_fusion", " (fusion)");
    write_key(writer, config, ", ", "loss_weight_om", " (OM)");
    write_key(writer, config, ", ", "loss_weight_im", " (IM)");
    write_key(writer, config, " and ", "loss_weight_tem", " (TEM).");
    write_augmentation(writer, config);
    cmus_file_writer_print(writer, " The weights behind the last epoch were evaluated; nothing was chosen by held-out "
                                   "cases.</p>\n");
}

static void write_machine(cmus_file_writer *writer, const report_evaluation *evaluation) {
    report_run_facts facts;
    report_run_facts_read(evaluation, &facts);
    const char *version = report_run_text(evaluation, "version"), *mpi = report_run_text(evaluation, "mpi");
    cmus_file_writer_print(writer, "<p>Training ran on CPUs by cmus-train");
    if (version) {
        cmus_file_writer_print(writer, " ");
        cmus_file_writer_html(writer, version);
    }
    if (facts.ranks)
        cmus_file_writer_print(writer, ", on %ld MPI %s", facts.ranks, facts.ranks == 1 ? "rank" : "ranks");
    if (facts.ranks && facts.threads)
        cmus_file_writer_print(writer, " of %ld %s", facts.threads, facts.threads == 1 ? "thread" : "threads");
    if (facts.host_count)
        cmus_file_writer_print(writer, " on %zu %s", facts.host_count, facts.host_count == 1 ? "host" : "hosts");
    if (mpi) {
        cmus_file_writer_print(writer, " with ");
        char *name = cmus_format_string("%.*s", (int)strcspn(mpi, ","), mpi);
        cmus_file_writer_html(writer, name);
        cmus_free(name);
    }
    if (!isnan(facts.hours)) {
        char *time = report_hours_text(facts.hours);
        cmus_file_writer_print(writer, ", and took %s for the %s", time,
                               evaluation->folds == 1 ? "fold" : "folds together");
        cmus_free(time);
    }
    if (!isnan(facts.kilowatt_hours))
        cmus_file_writer_print(writer, " and %.3g kWh of processors and memory", facts.kilowatt_hours);
    cmus_file_writer_print(writer, ".</p>\n");
    report_run_facts_free(&facts);
}

static void write_statistics(cmus_file_writer *writer, const report_evaluation *evaluation) {
    const report_external *external = evaluation->run->external;
    cmus_file_writer_print(
        writer,
        "<p>Metrics are given %s %g %% percentile intervals of %zu bootstrap draws of patients. AUC: "
        "one class against the rest on %ssoftmax probabilities, ties counted half; precision, "
        "recall, specificity and F1 by the largest probability.</p>\n",
        external ? "with"
                 : "as mean ± sample standard deviation over the folds, and pooled over all "
                   "held-out predictions with",
        100 * REPORT_INTERVAL_LEVEL, evaluation->draws, external && external->model_count > 1 ? "mean " : "");
}

/* The network's file, its hash, and what it was kept from. */
static void write_model(cmus_file_writer *writer, const report_model *model) {
    cmus_file_writer_print(writer, "<code>");
    cmus_file_writer_html(writer, model->path);
    cmus_file_writer_print(writer, "</code> (SHA-256 <code>");
    cmus_file_writer_html(writer, model->sha256);
    cmus_file_writer_print(writer, "</code>");
    if (model->fold && strcmp(model->fold, "all") == 0)
        cmus_file_writer_print(writer, ", trained on every case of its data set");
    else if (model->fold) {
        cmus_file_writer_print(writer, ", trained without fold ");
        cmus_file_writer_html(writer, model->fold);
    }
    cmus_file_writer_print(writer, ")");
}

static void write_ensemble(cmus_file_writer *writer, const report_external *external) {
    char *networks = report_networks_text(external);
    const report_coverage *coverage = &external->coverage;
    cmus_file_writer_print(writer, "<p>Performance was measured on an external test set by %s%s: ", networks,
                           external->model_count > 1 ? ", whose probabilities were averaged" : "");
    for (size_t i = 0; i < external->model_count; i++) {
        cmus_file_writer_print(writer, "%s", i ? ", " : "");
        write_model(writer, &external->models[i]);
    }
    cmus_file_writer_print(writer, ".");
    if (coverage->unlabelled)
        cmus_file_writer_print(writer, " %zu cases without a label were left out.", coverage->unlabelled);
    if (coverage->incomplete_count)
        cmus_file_writer_print(writer, " %zu cases that lack images of a modality were left out.",
                               coverage->incomplete_count);
    cmus_file_writer_print(writer, "</p>\n");
    cmus_free(networks);
}

static void write_external(cmus_file_writer *writer, const report_evaluation *evaluation) {
    write_network(writer, evaluation);
    write_data(writer, evaluation);
    write_ensemble(writer, evaluation->run->external);
    write_statistics(writer, evaluation);
}

void report_html_methods(cmus_file_writer *writer, const report_evaluation *evaluation) {
    if (evaluation->run->external) {
        write_external(writer, evaluation);
        return;
    }
    write_network(writer, evaluation);
    write_data(writer, evaluation);
    write_folds(writer, evaluation);
    write_training(writer, evaluation);
    write_machine(writer, evaluation);
    write_statistics(writer, evaluation);
}
