/* t-SNE of the fused features of the held-out cases: a picture for each fold. Each fold has a network of its own, whose
 * features share no axes with those of another, so that cases of two folds in one picture would lie apart or together
 * for no reason of theirs. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "cmus/utf8.h"
#include "report/figures.h"
#include "report/report_text.h"
#include "report/tsne.h"

/* Bounds of time, and of what can be told apart in a picture. */
enum { MOST_FOLDS = 10, MOST_IN_FOLD = 1500, MOST_IN_ALL = 4000 };
enum { MOST_BELOW = 8 }; /* classes whose key fits below the picture */
static const uint64_t seed = 1;

static bool can_be_drawn(const report_fold *fold) {
    return fold->features.present && fold->predictions.cases >= REPORT_TSNE_FEWEST;
}

static size_t drawable_folds(const report_evaluation *evaluation) {
    size_t count = 0;
    for (size_t i = 0; i < evaluation->folds; i++)
        count += can_be_drawn(evaluation->used[i]);
    return count;
}

size_t report_tsne_pictures(const report_evaluation *evaluation) {
    size_t count = drawable_folds(evaluation);
    return count < MOST_FOLDS ? count : MOST_FOLDS;
}

/* The fold of a picture. */
static const report_fold *fold_of(const report_evaluation *evaluation, size_t picture) {
    size_t i = 0;
    while (!can_be_drawn(evaluation->used[i]) || picture-- > 0)
        i++;
    return evaluation->used[i];
}

/* At most this many cases of a fold are laid out. */
static size_t case_limit(const report_evaluation *evaluation) {
    size_t share = MOST_IN_ALL / report_tsne_pictures(evaluation);
    return share < MOST_IN_FOLD ? share : MOST_IN_FOLD;
}

char *report_tsne_name(const char *prefix, const report_evaluation *evaluation, size_t picture) {
    return cmus_format_string("%stsne-fold-%ld", prefix, fold_of(evaluation, picture)->number);
}

char *report_tsne_note(const report_evaluation *evaluation) {
    size_t pictures = report_tsne_pictures(evaluation), drawable = drawable_folds(evaluation), largest = 0;
    if (!pictures)
        return NULL;
    for (size_t i = 0; i < pictures; i++) {
        size_t cases = fold_of(evaluation, i)->predictions.cases;
        largest = cases > largest ? cases : largest;
    }
    char *missing = drawable < evaluation->folds
                        ? cmus_format_string(" %zu of %zu folds have no saved features, or fewer than %d cases.",
                                             evaluation->folds - drawable, evaluation->folds, REPORT_TSNE_FEWEST)
                        : cmus_copy_string("");
    char *left_out = drawable > pictures
                         ? cmus_format_string(" The first %zu of %zu folds are drawn.", pictures, drawable)
                         : cmus_copy_string("");
    char *subset =
        largest > case_limit(evaluation)
            ? cmus_format_string(" Of a fold with more, %zu cases drawn by lot are shown.", case_limit(evaluation))
            : cmus_copy_string("");
    char *note = cmus_format_string(
        "Held-out cases laid out by the features that the fusion head classifies (t-SNE, perplexity at most 30, the "
        "pictures have no scale). Colour and shape: true class; outlined: wrong prediction. Each fold has a "
        "network of its own, whose features can't be put beside another's, so each has its own picture.%s%s%s",
        missing, left_out, subset);
    cmus_free(missing);
    cmus_free(left_out);
    cmus_free(subset);
    return note;
}

static int compare_sizes(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The cases of a fold that are laid out, in their order: all, or `limit` drawn by lot. Free with cmus_free(). */
static size_t *choose_cases(const report_fold *fold, size_t limit, size_t *count) {
    size_t cases = fold->predictions.cases, *chosen = cmus_allocate(cases, sizeof *chosen);
    uint64_t ids[] = {(uint64_t)fold->repeat, (uint64_t)fold->fold};
    cmus_random random = cmus_random_begin(seed, "t-SNE cases", ids, 2);
    for (size_t i = 0; i < cases; i++)
        chosen[i] = i;
    *count = cases < limit ? cases : limit;
    for (size_t i = 0; *count < cases && i < *count; i++) {
        size_t other = i + (size_t)cmus_random_below(&random, cases - i), kept = chosen[i];
        chosen[i] = chosen[other];
        chosen[other] = kept;
    }
    qsort(chosen, *count, sizeof *chosen, compare_sizes);
    return chosen;
}

/* The cases of one fold in the plane. */
typedef struct fold_layout {
    const report_predictions *predictions;
    size_t *cases; /* [count] */
    size_t count, wrong;
    double *places; /* [count][2] */
    double reach;   /* largest coordinate */
} fold_layout;

static bool is_wrong(const fold_layout *layout, size_t i) {
    const report_predictions *predictions = layout->predictions;
    const double *probabilities = predictions->probabilities[REPORT_FUSION] + layout->cases[i] * predictions->classes;
    return report_argmax(probabilities, predictions->classes) != (size_t)predictions->labels[layout->cases[i]];
}

static cmus_status lay_out(const report_fold *fold, size_t limit, fold_layout *layout) {
    *layout = (fold_layout){.predictions = &fold->predictions};
    layout->cases = choose_cases(fold, limit, &layout->count);
    layout->places = cmus_allocate(2 * layout->count, sizeof(double));
    size_t dimensions = fold->features.dimensions[REPORT_FUSION];
    float *features = cmus_allocate_raw(layout->count * dimensions, sizeof(float));
    cmus_status status =
        report_features_read(fold->folder, &fold->features, REPORT_FUSION, layout->cases, layout->count, features);
    if (status == CMUS_OK)
        report_tsne(features, layout->count, dimensions, report_tsne_perplexity(layout->count), seed, layout->places);
    cmus_free(features);
    for (size_t i = 0; i < 2 * layout->count; i++)
        layout->reach = fmax(layout->reach, fabs(layout->places[i]));
    for (size_t i = 0; i < layout->count; i++)
        layout->wrong += is_wrong(layout, i);
    return status;
}

/* The cases of a class as the data block $NAME_CLASS, "x y"; false if there are none, and then there is no block. */
static bool write_points(report_plot *plot, const fold_layout *layout, const char *block, size_t class_index,
                         bool wrong_only) {
    bool some = false;
    for (size_t i = 0; i < layout->count; i++) {
        if ((size_t)layout->predictions->labels[layout->cases[i]] != class_index ||
            (wrong_only && !is_wrong(layout, i)))
            continue;
        if (!some)
            cmus_file_writer_print(plot->script, "$%s_%zu << END_OF_DATA\n", block, class_index);
        some = true;
        cmus_file_writer_print(plot->script, "%.4f %.4f\n", layout->places[2 * i] / layout->reach,
                               layout->places[2 * i + 1] / layout->reach);
    }
    if (some)
        cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    return some;
}

/* gnuplot's filled shapes, which people tell apart where colours fail, and the outlines of the same. */
enum { SHAPES = 6 };
static const int filled_shapes[SHAPES] = {7, 5, 9, 13, 11, 15}, outlines[SHAPES] = {6, 4, 8, 12, 10, 14};

static double point_size(size_t count) {
    return count <= 200 ? 0.8 : count <= 600 ? 0.6 : 0.45;
}

static void write_class_points(report_plot *plot, const report_evaluation *evaluation, const fold_layout *layout,
                               size_t class_index, bool has_points) {
    if (has_points)
        cmus_file_writer_print(plot->script, "%s$cases_%zu", ", \\\n ", class_index);
    else /* in the key all the same: the pictures of the folds then look alike */
        cmus_file_writer_print(plot->script, "%sNaN", ", \\\n ");
    cmus_file_writer_print(plot->script, " with points pointtype %d pointsize %.2f linecolor rgb '%s' title ",
                           filled_shapes[class_index % SHAPES], point_size(layout->count), report_colour(class_index));
    char *name = cmus_utf8_shorten(evaluation->class_names[class_index], 16);
    report_plot_text(plot, name);
    cmus_free(name);
}

/* All classes, and over them the outlines of what is wrong. */
static void write_plot_command(report_plot *plot, const report_evaluation *evaluation, const fold_layout *layout) {
    size_t classes = evaluation->classes;
    bool *has_points = cmus_allocate(classes, sizeof *has_points), *has_wrong = cmus_allocate(classes, sizeof(bool));
    for (size_t i = 0; i < classes; i++) {
        has_points[i] = write_points(plot, layout, "cases", i, false);
        has_wrong[i] = write_points(plot, layout, "wrong", i, true);
    }
    cmus_file_writer_print(plot->script, "plot NaN notitle");
    for (size_t i = 0; i < classes; i++)
        write_class_points(plot, evaluation, layout, i, has_points[i]);
    double size = point_size(layout->count);
    for (size_t i = 0; i < classes; i++)
        if (has_wrong[i])
            cmus_file_writer_print(plot->script,
                                   ", \\\n $wrong_%zu with points pointtype %d pointsize %.2f linewidth 1.3 "
                                   "linecolor rgb 'black' notitle",
                                   i, outlines[i % SHAPES], 1.35 * size);
    cmus_file_writer_print(plot->script,
                           ", \\\n NaN with points pointtype 6 pointsize %.2f linewidth 1.3 linecolor rgb 'black' "
                           "title 'wrong'\n",
                           1.35 * size);
    cmus_free(has_points);
    cmus_free(has_wrong);
}

static cmus_status draw_layout(const report_evaluation *evaluation, const report_fold *fold, const fold_layout *layout,
                               const char *folder, const char *name) {
    bool below = evaluation->classes <= MOST_BELOW;
    int rows = (int)evaluation->classes + 1; /* of the key, with "wrong" */
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, below ? 360 : 560, below ? 376 + 16 * rows : 400, &plot));
    char *fold_name = report_fold_name(evaluation->run, fold);
    char *title = cmus_format_string("t-SNE, %s", fold_name);
    report_plot_title(&plot, evaluation, title);
    char *of_all = layout->count < fold->predictions.cases ? cmus_format_string(" of %zu", fold->predictions.cases)
                                                           : cmus_copy_string("");
    cmus_file_writer_print(plot.script,
                           "set size square\nset xrange [-1.06:1.06]\nset yrange [-1.06:1.06]\n"
                           "unset tics\nunset grid\nset border 15 linecolor rgb '#888888' linewidth 0.5\n"
                           "set xlabel \"%zu%s cases, %zu wrong\\n \"\nset key %s Left reverse samplen 1\n",
                           layout->count, of_all, layout->wrong,
                           below ? "below center vertical maxcols 1" : "outside right");
    write_plot_command(&plot, evaluation, layout);
    cmus_free(of_all);
    cmus_free(title);
    cmus_free(fold_name);
    return report_plot_end(&plot);
}

cmus_status report_draw_tsne(const report_evaluation *evaluation, size_t picture, const char *folder,
                             const char *name) {
    const report_fold *fold = fold_of(evaluation, picture);
    fold_layout layout;
    cmus_status status = lay_out(fold, case_limit(evaluation), &layout);
    if (status == CMUS_OK)
        status = draw_layout(evaluation, fold, &layout, folder, name);
    cmus_free(layout.cases);
    cmus_free(layout.places);
    return status;
}
