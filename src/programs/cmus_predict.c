/* cmus-predict: probabilities and explanations of new cases. */
#include <argp.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/config.h"
#include "cmus/file.h"
#include "cmus/launch.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/predictor.h"
#include "cmus/program.h"
#include "cmus/stop.h"

enum {
    OPTION_WEIGHTS = 'w',
    OPTION_OUT = 'o',
    OPTION_DATA = 'd',
    OPTION_CASES = 'c',
    OPTION_EXPLAIN = 'e',
    OPTION_OM = 256,
    OPTION_IM,
    OPTION_TEM,
    OPTION_ID,
    OPTION_FOLD,
    OPTION_LABELS,
    OPTION_ALLOW_MISSING,
    OPTION_ON_ERROR,
    OPTION_PREFIX,
    OPTION_PIXEL_LIMIT,
    OPTION_CONFIG,
    OPTION_CLASS
};

/* A list of texts of the command line. */
typedef struct texts {
    const char **list;
    size_t count, capacity;
} texts;

typedef struct arguments {
    cmus_predict_options predict;
    texts weights, trees, tem, prefixes, overrides;
    texts *open; /* which arguments without an option belong to: those behind --weights, --cases, --tem */
    bool quiet;
} arguments;

static const struct argp_option options[] = {
    {"weights", OPTION_WEIGHTS, "FILE...", 0,
     "What predicts: files of weights (.safetensors or .pth), folds' folders, or a RUN with all its folds; several are "
     "averaged",
     1},
    {"out", OPTION_OUT, "DIR", 0, "Folder to make, with predictions.csv and predictions.json", 1},
    {0, 0, 0, 0, "One of these says which cases:", 2},
    {"data", OPTION_DATA, "DIR", 0, "A data set made by cmus-pack", 2},
    {"cases", OPTION_CASES, "TREE...", 0,
     "Folders of cases: <class>/<case>/<MODALITY>_....<ext> or <case>/<MODALITY>_....<ext>, or one case's folder", 2},
    {"om", OPTION_OM, "FILE", 0, "A single case: its OM image", 2},
    {"im", OPTION_IM, "FILE", 0, "Its IM image", 2},
    {"tem", OPTION_TEM, "FILE...", 0, "Its TEM images", 2},
    {0, 0, 0, 0, "More about them:", 3},
    {"fold", OPTION_FOLD, "FOLD", 0, "With --data: only the cases of this fold of its splits.csv, such as holdout", 3},
    {"labels", OPTION_LABELS, "CSV", 0, "What the cases are: columns case_id and class", 3},
    {"case-id", OPTION_ID, "ID", 0, "With --tem: what the case is called (case)", 3},
    {"prefix", OPTION_PREFIX, "NAME=MODALITY", 0, "With --cases: further names of files, as of cmus-pack", 3},
    {"allow-missing", OPTION_ALLOW_MISSING, NULL, 0,
     "Cases without OM or IM image, too: what the heads say that do not need it; marked in the column missing", 3},
    {"on-error", OPTION_ON_ERROR, "stop|skip", 0,
     "Cases with errors: end (stop), or leave them out and list them in rejected.csv", 3},
    {"pixel-limit", OPTION_PIXEL_LIMIT, "PIXELS", 0, "Largest image that is read (300000000)", 3},
    {0, 0, 0, 0, "Also:", 4},
    {"explain", OPTION_EXPLAIN, NULL, 0, "For each case a picture and a page with heat maps, in DIR/explain", 4},
    {"class", OPTION_CLASS, "CLASS", 0, "With --explain: what speaks for this class, not for the predicted one", 4},
    {"config", OPTION_CONFIG, "FILE", 0, "Configuration of weights that do not bring one along, such as PyTorch's", 4},
    {"quiet", 'q', NULL, 0, "Only warnings and errors", 4},
    {0}};

static void add_text(texts *to, const char *text) {
    to->list = cmus_grow(to->list, &to->capacity, to->count + 1, sizeof *to->list);
    to->list[to->count++] = text;
}

static void check_source(const arguments *given, struct argp_state *state) {
    const cmus_predict_options *predict = &given->predict;
    bool files = predict->om || predict->im || given->tem.count;
    int sources = (predict->data != NULL) + (given->trees.count > 0) + files;
    if (!given->weights.count || !predict->out)
        argp_error(state, "--weights and --out are needed");
    else if (sources != 1)
        argp_error(state, "one of --data, --cases and --om with --im and --tem is needed");
    else if (files && !given->tem.count)
        argp_error(state, "--tem is needed: without TEM images no head can say anything");
    else if (files && (!predict->om || !predict->im) && !predict->source.allow_missing)
        argp_error(state, "--om and --im are needed, or --allow-missing");
    else if (predict->fold && !predict->data)
        argp_error(state, "--fold is of --data");
    else if (predict->class_name && !predict->explain)
        argp_error(state, "--class is of --explain");
    else if (predict->case_id && !files)
        argp_error(state, "--case-id is of --tem");
    else if (given->prefixes.count && !given->trees.count)
        argp_error(state, "--prefix is of --cases");
}

static long long parse_limit(const char *text, struct argp_state *state) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < 1)
        argp_error(state, "--pixel-limit %s: a whole number from 1 is expected", text);
    return value;
}

static bool is_override(const char *text) {
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals && i < cmus_key_count; i++)
        if (strlen(cmus_keys[i].name) == (size_t)(equals - text) &&
            strncmp(cmus_keys[i].name, text, (size_t)(equals - text)) == 0)
            return true;
    return false;
}

/* An argument without an option: KEY=VALUE, or one more of the list that is open. */
static error_t take_argument(arguments *given, const char *value, struct argp_state *state) {
    if (is_override(value) && (!given->open || !cmus_file_exists(value)))
        add_text(&given->overrides, value);
    else if (given->open)
        add_text(given->open, value);
    else
        argp_error(state, "%s: what is it? --weights, --cases or --tem belongs before it", value);
    return 0;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    arguments *given = state->input;
    cmus_predict_options *predict = &given->predict;
    if (key == ARGP_KEY_ARG)
        return take_argument(given, value, state);
    if (key != ARGP_KEY_END && key != ARGP_KEY_SUCCESS && key != ARGP_KEY_FINI)
        given->open = key == OPTION_WEIGHTS ? &given->weights
                      : key == OPTION_CASES ? &given->trees
                      : key == OPTION_TEM   ? &given->tem
                                            : NULL;
    switch (key) {
    case OPTION_WEIGHTS:
    case OPTION_CASES:
    case OPTION_TEM:
        add_text(given->open, value);
        return 0;
    case OPTION_OUT:
        predict->out = value;
        return 0;
    case OPTION_DATA:
        predict->data = value;
        return 0;
    case OPTION_OM:
        predict->om = value;
        return 0;
    case OPTION_IM:
        predict->im = value;
        return 0;
    case OPTION_ID:
        predict->case_id = value;
        return 0;
    case OPTION_FOLD:
        predict->fold = value;
        return 0;
    case OPTION_LABELS:
        predict->source.labels = value;
        return 0;
    case OPTION_PREFIX:
        add_text(&given->prefixes, value);
        return 0;
    case OPTION_ALLOW_MISSING:
        predict->source.allow_missing = true;
        return 0;
    case OPTION_ON_ERROR:
        predict->source.skip_errors = strcmp(value, "skip") == 0;
        if (!predict->source.skip_errors && strcmp(value, "stop") != 0)
            argp_error(state, "--on-error %s: stop or skip is expected", value);
        return 0;
    case OPTION_PIXEL_LIMIT:
        predict->source.pixel_limit = parse_limit(value, state);
        return 0;
    case OPTION_EXPLAIN:
        predict->explain = true;
        return 0;
    case OPTION_CLASS:
        predict->class_name = value;
        return 0;
    case OPTION_CONFIG:
        predict->ensemble.config = value;
        return 0;
    case 'q':
        given->quiet = true;
        return 0;
    case ARGP_KEY_END:
        check_source(given, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "[KEY=VALUE...] --weights FILE... --out DIR --data DIR\n"
                "[KEY=VALUE...] --weights FILE... --out DIR --cases TREE...\n"
                "[KEY=VALUE...] --weights FILE... --out DIR --om FILE --im FILE --tem FILE...",
    .doc =
        "Predicts cases: probabilities of every head, the predicted class, and the weight and distance of each TEM "
        "image. Under `mpirun -np N' the cases are shared out; the result is the same.\v"
        "KEY=VALUE sets precision (bf16), memory_gib, and with --config any key of it, such as "
        "classes=\"[A, B]\". DIR appears "
        "when all is written: predictions.csv, predictions.json and, with --explain, explain/index.html. With known "
        "classes `cmus-report --external DIR' evaluates it. Not for diagnostic use without a pathologist. Exit code: "
        "0 done, 1 failed, 2 wrong usage, 3 a rank or host was lost or a defect, 75 stopped by a signal."};

static cmus_status predict(const cmus_communicator *communicator, bool several, arguments *given) {
    cmus_predict_options *options_ = &given->predict;
    options_->ensemble.paths = given->weights.list;
    options_->ensemble.path_count = given->weights.count;
    options_->ensemble.overrides = given->overrides.list;
    options_->ensemble.override_count = given->overrides.count;
    options_->trees = given->trees.list;
    options_->tree_count = given->trees.count;
    options_->tem = given->tem.list;
    options_->tem_count = given->tem.count;
    options_->source.prefixes = given->prefixes.list;
    options_->source.prefix_count = given->prefixes.count;
    if (several)
        CMUS_TRY(cmus_launch_check(communicator, omp_get_max_threads()));
    return cmus_predict(communicator, options_);
}

int main(int argc, char **argv) {
    cmus_stop_listen();
    cmus_stop_listen_interrupt();
    cmus_program_begin("cmus-predict");
    bool several;
    cmus_communicator communicator = cmus_launch_begin(&argc, &argv, "cmus-predict", &several);
    arguments given = {0};
    cmus_program_parse(&parser, ARGP_IN_ORDER, communicator.rank, argc, argv, &given);
    cmus_log_quiet(given.quiet);
    cmus_status status = predict(&communicator, several, &given);
    texts *lists[] = {&given.weights, &given.trees, &given.tem, &given.prefixes, &given.overrides};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        cmus_free(lists[i]->list);
    int code = communicator.rank == 0 ? cmus_program_end(status) : 0;
    cmus_broadcast(&communicator, &code, sizeof code, 0);
    if (several)
        cmus_communicator_end();
    return code;
}
