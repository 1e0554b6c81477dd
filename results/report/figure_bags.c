/* The bag of TEM images: accuracy by its size, and how SMIL weighs its images in right and in wrong cases. */
#include <stdlib.h>

#include "cmus/memory.h"
#include "report/figures.h"
#include "report/wilson.h"

enum { MOST_SIZES = 12, RANGES = 6 }; /* of more sizes, about so many ranges: their names need the width */

const char *report_bags_missing(const report_evaluation *evaluation) {
    return evaluation->heads[REPORT_TEM].present ? NULL
                                                 : "Bags of TEM images are not shown: the network has no TEM images.";
}

/* Cases whose bags have `first` to `last` images. */
typedef struct group {
    int first, last;
    size_t cases, right[REPORT_HEADS];
} group;

static int by_size(const void *a, const void *b) {
    const group *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* One group for each case, sorted by the size of the bag. */
static group *group_cases(const report_evaluation *evaluation) {
    group *groups = cmus_allocate(evaluation->cases, sizeof *groups);
    size_t at = 0, classes = evaluation->classes;
    for (size_t i = 0; i < evaluation->folds; i++) {
        const report_predictions *fold = &evaluation->used[i]->predictions;
        for (size_t j = 0; j < fold->cases; j++, at++) {
            groups[at] = (group){.first = fold->tem_images[j], .last = fold->tem_images[j], .cases = 1};
            for (int head = 0; head < REPORT_HEADS; head++)
                groups[at].right[head] =
                    evaluation->heads[head].present &&
                    report_argmax(fold->probabilities[head] + j * classes, classes) == (size_t)fold->labels[j];
        }
    }
    qsort(groups, at, sizeof *groups, by_size);
    return groups;
}

static void merge(group *into, const group *from) {
    into->last = from->last;
    into->cases += from->cases;
    for (int head = 0; head < REPORT_HEADS; head++)
        into->right[head] += from->right[head];
}

/* Merges sorted groups: those of one size, and of more than MOST_SIZES sizes neighbours, so that each group has about
 * as many cases. Returns how many are left. */
static size_t merge_groups(group *groups, size_t count) {
    size_t sizes = 0, merged = 0, cases = count;
    for (size_t i = 0; i < count; i++)
        if (sizes && groups[sizes - 1].first == groups[i].first)
            merge(&groups[sizes - 1], &groups[i]);
        else
            groups[sizes++] = groups[i];
    if (sizes <= MOST_SIZES)
        return sizes;
    for (size_t i = 0; i < sizes; i++)
        if (merged && groups[merged - 1].cases < cases / RANGES)
            merge(&groups[merged - 1], &groups[i]);
        else
            groups[merged++] = groups[i];
    if (merged > 1 && groups[merged - 1].cases < cases / (2 * RANGES)) {
        merge(&groups[merged - 2], &groups[merged - 1]);
        merged--;
    }
    return merged;
}

/* $fusion and $tem: "index accuracy low high"; $counts: "index cases". */
static void write_groups(report_plot *plot, const group *groups, size_t count) {
    static const report_head heads[] = {REPORT_FUSION, REPORT_TEM};
    for (size_t k = 0; k < 2; k++) {
        cmus_file_writer_print(plot->script, "$%s << END_OF_DATA\n", report_head_keys[heads[k]]);
        for (size_t i = 0; i < count; i++) {
            double low, high;
            report_wilson(groups[i].right[heads[k]], groups[i].cases, &low, &high);
            cmus_file_writer_print(plot->script, "%zu %.5g %.5g %.5g\n", i,
                                   (double)groups[i].right[heads[k]] / (double)groups[i].cases, low, high);
        }
        cmus_file_writer_print(plot->script, "END_OF_DATA\n");
    }
    cmus_file_writer_print(plot->script, "$counts << END_OF_DATA\n");
    for (size_t i = 0; i < count; i++)
        cmus_file_writer_print(plot->script, "%zu %zu\n", i, groups[i].cases);
    cmus_file_writer_print(plot->script, "END_OF_DATA\n");
}

/* The sizes of the groups as tics: "3", "4–6". */
static void write_tics(report_plot *plot, const group *groups, size_t count) {
    cmus_file_writer_print(plot->script, "set xtics (");
    for (size_t i = 0; i < count; i++) {
        cmus_file_writer_print(plot->script, "%s'%d", i ? ", " : "", groups[i].first);
        if (groups[i].last > groups[i].first)
            cmus_file_writer_print(plot->script, "–%d", groups[i].last);
        cmus_file_writer_print(plot->script, "' %zu", i);
    }
    cmus_file_writer_print(plot->script, ")\n");
}

cmus_status report_draw_bag_size(const report_evaluation *evaluation, report_head head, const char *folder,
                                 const char *name) {
    (void)head;
    report_plot plot;
    CMUS_TRY(report_plot_begin(folder, name, 440, 460, &plot));
    report_plot_title(&plot, evaluation, "Accuracy by number of TEM images");
    group *groups = group_cases(evaluation);
    size_t count = merge_groups(groups, evaluation->cases);
    write_groups(&plot, groups, count);
    report_plot_two_panels(&plot);
    report_plot_panel(&plot, REPORT_UPPER_PANEL);
    cmus_file_writer_print(
        plot.script,
        "set xrange [-0.6:%zu.6]\nset xtics 1\nset format x ''\nset yrange [0:1.005]\nset ytics 0.2\n"
        "set ylabel 'Accuracy with 95 %% interval'\n"
        "plot \\\n",
        count - 1);
    report_plot_intervals(&plot, "fusion", -0.1, report_colour(REPORT_FUSION));
    report_plot_intervals(&plot, "tem", 0.1, report_colour(REPORT_TEM));
    cmus_file_writer_print(plot.script,
                           " $fusion using ($1-0.1):2 with points linecolor rgb '%s' pointtype 7 pointsize 0.6 title "
                           "'Fusion', \\\n"
                           " $tem using ($1+0.1):2 with points linecolor rgb '%s' pointtype 5 pointsize 0.5 title "
                           "'TEM'\n",
                           report_colour(REPORT_FUSION), report_colour(REPORT_TEM));
    report_plot_panel(&plot, REPORT_LOWER_PANEL);
    write_tics(&plot, groups, count);
    size_t largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = groups[i].cases > largest ? groups[i].cases : largest;
    report_plot_counts(&plot, largest);
    cmus_free(groups);
    cmus_file_writer_print(plot.script,
                           "set xlabel 'TEM images of the case'\n"
                           "plot $counts using 1:2:(0.7) with boxes linecolor rgb '#6E6E6E' fillstyle transparent "
                           "solid 0.5 border notitle\n");
    return report_plot_end(&plot);
}
