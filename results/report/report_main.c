/* cmus-report RUN... --out DIR: folds to numbers, pictures and one HTML page. */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "cmus/utf8.h"
#include "report/cases.h"
#include "report/compare.h"
#include "report/comparison_files.h"
#include "report/drift.h"
#include "report/evaluation.h"
#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/report_text.h"
#include "report/summary.h"
#include "report/thumbnails.h"

typedef struct arguments {
    char **paths; /* [runs] */
    size_t runs;
    const char *out;
    const char *data;       /* NULL if not given */
    const char *compare_to; /* NULL if not given */
    bool partial, external;
} arguments;

enum { OPTION_OUT = 'o', OPTION_PARTIAL = 'p', OPTION_DATA = 'd', OPTION_COMPARE_TO = 'c', OPTION_EXTERNAL = 'e' };

static const struct argp_option options[] = {
    {"out", OPTION_OUT, "DIR", 0, "Folder for report.html, summary.json, summary.csv, cases.csv and figures/", 0},
    {"data", OPTION_DATA, "DIR", 0, "The data set of the runs: shows the images of wrong cases in the page", 0},
    {"external", OPTION_EXTERNAL, NULL, 0,
     "Each RUN is a folder of cmus-predict with labels, evaluated as an outside test set", 0},
    {"partial", OPTION_PARTIAL, NULL, 0,
     "Leave out folds that are missing, unfinished or do not belong to the others, "
     "and mark the page and the pictures as partial",
     0},
    {"compare-to", OPTION_COMPARE_TO, "FILE.json", 0,
     "Show beside each number what it was in an earlier report's summary.json, and write drift.csv", 0},
    {0},
};

static error_t parse_argument(int key, char *value, struct argp_state *state) {
    arguments *given = state->input;
    size_t capacity = given->runs;
    switch (key) {
    case OPTION_OUT:
        given->out = value;
        return 0;
    case OPTION_DATA:
        given->data = value;
        return 0;
    case OPTION_EXTERNAL:
        given->external = true;
        return 0;
    case OPTION_PARTIAL:
        given->partial = true;
        return 0;
    case OPTION_COMPARE_TO:
        given->compare_to = value;
        return 0;
    case ARGP_KEY_ARG:
        given->paths = cmus_grow(given->paths, &capacity, given->runs + 1, sizeof(char *));
        given->paths[given->runs++] = value;
        return 0;
    case ARGP_KEY_END:
        if (!given->runs)
            argp_error(state, "no RUN was given: the --out folder of cmus-train, or with --external of cmus-predict");
        else if (!given->out || !*given->out)
            argp_error(state, "--out DIR is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    options,
    parse_argument,
    "RUN... --out DIR\n--external PREDICTED... --out DIR",
    "Makes the cross-validation report of RUN, the folder of the folds fold-0, fold-1, ... of cmus-train: ACC, AUC, F1 "
    "and "
    "more of each head, as mean and SD over the folds and pooled, with pictures, as one HTML page, JSON and CSV. "
    "Several "
    "RUNs are compared on the same cases with the first of them: paired intervals, McNemar's and DeLong's tests, and "
    "comparison.csv, .md and .tex. With --external, the same of what cmus-predict wrote: an outside test set, without "
    "folds.\v"
    "Everything is computed from the folds' predictions.csv. A fold that is missing or unfinished, two folds that "
    "share "
    "a case or a patient, or that differ in configuration or data set, are errors without --partial.",
    NULL,
    NULL,
    NULL};

/* Everything of one call. Files are made in `stage`, a hidden folder in `out`, and moved when all are there. */
typedef struct job {
    const arguments *given;
    report_run *runs;               /* [given->runs] */
    report_evaluation *evaluations; /* [given->runs] */
    char **prefixes;                /* [given->runs]: of the names of the pictures */
    report_pictures pictures;
    report_thumbnails *thumbnails; /* [given->runs]; NULL without --data */
    report_comparison comparison;  /* of two or more runs */
    report_drift drift;            /* with --compare-to */
    char *stage;
    bool made_out; /* the folder `out` was not there before */
} job;

/* Runs whose folders have the same name are told apart by their paths. */
static void name_runs(job *work) {
    size_t runs = work->given->runs;
    bool *same = cmus_allocate(runs, sizeof *same);
    for (size_t i = 0; i < runs; i++)
        for (size_t j = 0; j < runs; j++)
            same[i] = same[i] || (i != j && strcmp(work->runs[i].name, work->runs[j].name) == 0);
    for (size_t i = 0; i < runs; i++)
        if (same[i]) {
            cmus_free(work->runs[i].name);
            work->runs[i].name = cmus_copy_string(work->runs[i].path);
        }
    cmus_free(same);
}

static cmus_status read_runs(job *work) {
    size_t problems = 0;
    for (size_t i = 0; i < work->given->runs; i++) {
        report_run *run = &work->runs[i];
        CMUS_TRY((work->given->external ? report_external_read : report_run_read)(work->given->paths[i], run));
        for (size_t j = 0; j < run->problem_count; j++)
            (work->given->partial ? cmus_warn : cmus_error)("%s", run->problems[j]);
        problems += run->problem_count;
    }
    if (problems && !work->given->partial)
        return cmus_fail(CMUS_ERROR_DATA, "no report was made: %zu %s above; --partial leaves such folds out", problems,
                         problems == 1 ? "problem is named" : "problems are named");
    for (size_t i = 0; i < work->given->runs; i++)
        if (!report_usable_folds(&work->runs[i]))
            return cmus_fail(CMUS_ERROR_DATA, "%s: no fold can be used", work->runs[i].path);
    name_runs(work);
    return CMUS_OK;
}

static void evaluate_runs(job *work) {
    size_t runs = work->given->runs;
    for (size_t i = 0; i < runs; i++) {
        report_evaluate(&work->runs[i], &work->evaluations[i]);
        work->prefixes[i] = runs > 1 ? cmus_format_string("run-%zu-", i + 1) : cmus_copy_string("");
    }
}

/* With an earlier report and with other runs. */
static cmus_status compare_runs(job *work) {
    size_t runs = work->given->runs;
    if (work->given->compare_to)
        CMUS_TRY(report_drift_read(work->given->compare_to, work->evaluations, runs, &work->drift));
    return runs > 1 ? report_compare(work->evaluations, runs, work->given->partial, &work->comparison) : CMUS_OK;
}

static cmus_status make_stage(job *work) {
    work->made_out = !cmus_folder_exists(work->given->out);
    work->stage = cmus_format_string("%s/.cmus-report.%ld.tmp", work->given->out, (long)getpid());
    return cmus_folder_make(work->stage);
}

/* Letters of base64 that keep the page below 5 MB: what the pictures and some room for the tables leave of it. */
static size_t thumbnail_budget(const job *work) {
    const size_t whole = 4000000, least = 500000;
    size_t pictures = 0;
    for (size_t i = 0; i < work->pictures.count; i++)
        pictures += strlen(work->pictures.list[i].svg);
    return (pictures + least < whole ? whole - pictures : least) / work->given->runs;
}

/* Images of the wrong cases. */
static cmus_status make_thumbnails(job *work) {
    if (!work->given->data)
        return CMUS_OK;
    cmus_dataset *dataset;
    CMUS_TRY(cmus_dataset_open(work->given->data, &dataset));
    work->thumbnails = cmus_allocate(work->given->runs, sizeof *work->thumbnails);
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < work->given->runs && status == CMUS_OK; i++)
        status = report_thumbnails_make(dataset, &work->evaluations[i], thumbnail_budget(work), &work->thumbnails[i]);
    cmus_dataset_close(dataset);
    return status;
}

/* Files of a report that compares runs, and of one that is compared to an earlier one. */
static const char *const comparison_names[] = {"comparison.csv", "comparison.md", "comparison.tex"};
static const char drift_name[] = "drift.csv";
enum { COMPARISON_NAMES = sizeof comparison_names / sizeof *comparison_names };

static cmus_status make_comparison_files(const job *work) {
    static cmus_status (*const writers[COMPARISON_NAMES])(const char *, const report_comparison *) = {
        report_comparison_csv, report_comparison_markdown, report_comparison_latex};
    cmus_status status = CMUS_OK;
    for (size_t i = 0; work->given->runs > 1 && status == CMUS_OK && i < COMPARISON_NAMES; i++) {
        char *path = cmus_path_join(work->stage, comparison_names[i]);
        status = writers[i](path, &work->comparison);
        cmus_free(path);
    }
    if (work->given->compare_to && status == CMUS_OK) {
        char *path = cmus_path_join(work->stage, drift_name);
        status = report_drift_csv(path, &work->drift, work->evaluations);
        cmus_free(path);
    }
    return status;
}

/* Pictures, page and summaries in the hidden folder. */
static cmus_status make_files(job *work) {
    size_t runs = work->given->runs;
    CMUS_TRY(report_gnuplot_check(work->stage));
    for (size_t i = 0; i < runs; i++)
        CMUS_TRY(report_draw_figures(&work->evaluations[i], work->stage, work->prefixes[i], &work->pictures));
    CMUS_TRY(make_thumbnails(work));
    report_page page = {work->evaluations,
                        runs,
                        (const char *const *)work->prefixes,
                        &work->pictures,
                        work->thumbnails,
                        runs > 1 ? &work->comparison : NULL,
                        work->given->compare_to ? &work->drift : NULL};
    char *html = cmus_path_join(work->stage, "report.html"), *json = cmus_path_join(work->stage, "summary.json");
    char *csv = cmus_path_join(work->stage, "summary.csv"), *cases = cmus_path_join(work->stage, "cases.csv");
    cmus_status status = report_page_write(html, &page);
    if (status == CMUS_OK)
        status = report_summary_json(json, work->evaluations, runs);
    if (status == CMUS_OK)
        status = report_summary_csv(csv, work->evaluations, runs);
    cmus_free(html);
    cmus_free(json);
    if (status == CMUS_OK)
        status = report_cases_csv(cases, work->evaluations, runs);
    cmus_free(csv);
    cmus_free(cases);
    return status == CMUS_OK ? make_comparison_files(work) : status;
}

/* Moves STAGE/NAME to OUT/PLACE. */
static cmus_status take_over(const job *work, const char *name, const char *place) {
    char *from = cmus_path_join(work->stage, name), *to = cmus_path_join(work->given->out, place);
    cmus_status status = cmus_file_take_over(from, to);
    cmus_free(from);
    cmus_free(to);
    return status;
}

/* Moves all files to their names, the page last, and writes the manifest. */
static cmus_status publish(const job *work) {
    static const char *const endings[] = {"svg", "png"};
    static const char *const always[] = {"cases.csv", "summary.csv", "summary.json", "report.html"};
    const char *files[COMPARISON_NAMES + 1 + sizeof always / sizeof *always];
    size_t pictures = 2 * work->pictures.count, fixed = 0;
    for (size_t i = 0; work->given->runs > 1 && i < COMPARISON_NAMES; i++)
        files[fixed++] = comparison_names[i];
    if (work->given->compare_to)
        files[fixed++] = drift_name;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        files[fixed++] = always[i];
    char **names = cmus_allocate(pictures + fixed, sizeof(char *));
    char *folder = cmus_path_join(work->given->out, "figures");
    cmus_status status = cmus_folder_make(folder);
    for (size_t i = 0; i < pictures; i++) {
        char *name = cmus_format_string("%s.%s", work->pictures.list[i / 2].name, endings[i % 2]);
        names[i] = cmus_path_join("figures", name);
        if (status == CMUS_OK)
            status = take_over(work, name, names[i]);
        cmus_free(name);
    }
    for (size_t i = 0; i < fixed; i++) {
        names[pictures + i] = cmus_copy_string(files[i]);
        if (status == CMUS_OK)
            status = take_over(work, files[i], files[i]);
    }
    if (status == CMUS_OK)
        status = cmus_manifest_write(work->given->out, (const char *const *)names, pictures + fixed);
    cmus_names_free(names, pictures + fixed);
    cmus_free(folder);
    return status;
}

/* Three columns "ACC AUC F1" for the terminal; undefined shows as such. */
static void print_values(const report_head_results *results, bool pooled) {
    for (int i = 0; i < REPORT_MAIN_METRICS; i++) {
        double value = pooled ? results->pooled.values[i] : results->mean[i];
        if (isnan(value))
            printf(pooled ? "  %9s" : "  %14s", "undefined");
        else if (pooled)
            printf("  %9.2f", 100 * value);
        else if (isnan(results->deviation[i]))
            printf("  %14.2f", 100 * value);
        else
            printf("  %6.2f ± %5.2f", 100 * value, 100 * results->deviation[i]);
    }
}

static void print_run(const report_evaluation *evaluation) {
    char *folds = report_folds_text(evaluation), *name = cmus_utf8_valid(evaluation->run->name);
    printf("%s: %s%s, %zu cases of %zu patients, %zu classes; all values in %%\n", name,
           evaluation->partial ? "PARTIAL, " : "", folds, evaluation->different_cases, evaluation->patients,
           evaluation->classes);
    printf("%-8s", "head");
    for (int i = 0; i < REPORT_MAIN_METRICS; i++)
        printf("  %9s", report_metric_names[i].label);
    for (int i = 0; !evaluation->run->external && i < REPORT_MAIN_METRICS; i++)
        printf("  %5s %8s", report_metric_names[i].label, "mean±SD ");
    printf("\n");
    for (int head = 0; head < REPORT_HEADS; head++) {
        if (!evaluation->heads[head].present)
            continue;
        printf("%-8s", report_head_keys[head]);
        print_values(&evaluation->heads[head], true);
        if (!evaluation->run->external)
            print_values(&evaluation->heads[head], false);
        printf("\n");
    }
    cmus_free(folds);
    cmus_free(name);
}

static cmus_status make_report(job *work) {
    CMUS_TRY(read_runs(work));
    evaluate_runs(work);
    CMUS_TRY(compare_runs(work));
    CMUS_TRY(make_stage(work));
    CMUS_TRY(make_files(work));
    CMUS_TRY(publish(work));
    for (size_t i = 0; i < work->given->runs; i++)
        print_run(&work->evaluations[i]);
    printf("report: %s/report.html\n", work->given->out);
    if (fflush(stdout) != 0)
        return cmus_fail(CMUS_ERROR_IO, "can't write to the standard output: %s", strerror(errno));
    return CMUS_OK;
}

/* Frees everything and leaves no trace of a report that was not finished. */
static void end_job(job *work, bool failed) {
    if (work->stage) {
        char *message = cmus_copy_string(cmus_last_error());
        if (cmus_folder_remove(work->stage) != CMUS_OK)
            cmus_warn("%s", cmus_last_error());
        if (failed && work->made_out)
            rmdir(work->given->out); /* stays if it holds anything */
        if (failed)
            cmus_fail(CMUS_ERROR_DATA, "%s", message); /* still the one to print */
        cmus_free(message);
    }
    report_pictures_free(&work->pictures);
    report_comparison_free(&work->comparison);
    report_drift_free(&work->drift);
    for (size_t i = 0; i < work->given->runs; i++) {
        if (work->thumbnails)
            report_thumbnails_free(&work->thumbnails[i]);
        report_evaluation_free(&work->evaluations[i]);
        report_run_free(&work->runs[i]);
        cmus_free(work->prefixes[i]);
    }
    cmus_free(work->stage);
    cmus_free(work->thumbnails);
    cmus_free(work->evaluations);
    cmus_free(work->runs);
    cmus_free(work->prefixes);
}

int main(int count, char **words) {
    cmus_program_begin("cmus-report");
    arguments given = {0};
    argp_parse(&parser, count, words, 0, NULL, &given);
    job work = {.given = &given};
    work.runs = cmus_allocate(given.runs, sizeof(report_run));
    work.evaluations = cmus_allocate(given.runs, sizeof(report_evaluation));
    work.prefixes = cmus_allocate(given.runs, sizeof(char *));
    cmus_status status = make_report(&work);
    end_job(&work, status != CMUS_OK);
    cmus_free(given.paths);
    return cmus_program_end(status);
}
