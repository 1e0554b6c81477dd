#include "split_table.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "cmus/memory.h"

/* Cases of one repeat. */
typedef struct counts {
    const cmus_dataset *dataset;
    int repeat, folds, classes;
    int *cases; /* [folds + 1][classes]; the last: held out */
} counts;

static counts count(const cmus_dataset *dataset, const cmus_splits *splits, int repeat) {
    counts found = {dataset, repeat, splits->folds, cmus_dataset_class_count(dataset), NULL};
    found.cases = cmus_allocate(((size_t)found.folds + 1) * (size_t)found.classes, sizeof *found.cases);
    for (int i = 0; i < splits->cases; i++) {
        int fold = splits->fold[(size_t)repeat * (size_t)splits->cases + (size_t)i];
        int row = fold == CMUS_FOLD_HOLDOUT ? found.folds : fold;
        found.cases[row * found.classes + cmus_dataset_case(dataset, i).label]++;
    }
    return found;
}

static int row_total(const counts *of, int row) {
    int total = 0;
    for (int c = 0; c < of->classes; c++)
        total += of->cases[row * of->classes + c];
    return total;
}

static void print_row(const counts *of, int row) {
    if (row == of->folds)
        printf("%6d  holdout  %6d", of->repeat, row_total(of, row));
    else
        printf("%6d  %7d  %6d", of->repeat, row, row_total(of, row));
    for (int c = 0; c < of->classes; c++)
        printf("  %10d", of->cases[row * of->classes + c]);
    printf("\n");
}

/* How one class is shared out. */
typedef struct evenness {
    int least, most; /* cases a fold */
    double ideal, off;
} evenness;

static evenness measure(const counts *of, int label) {
    evenness found = {.least = of->cases[label], .most = of->cases[label]};
    int total = 0;
    for (int f = 0; f < of->folds; f++) {
        int here = of->cases[f * of->classes + label];
        total += here;
        found.least = here < found.least ? here : found.least;
        found.most = here > found.most ? here : found.most;
    }
    found.ideal = (double)total / of->folds;
    found.off = fmax(found.most - found.ideal, found.ideal - found.least);
    return found;
}

static void print_evenness(const counts *of) {
    bool even = true;
    for (int c = 0; c < of->classes; c++) {
        evenness one = measure(of, c);
        printf("repeat %d, class %s: %d to %d cases a fold, ideal %.3g; off by at most %.2g\n", of->repeat,
               cmus_dataset_class_name(of->dataset, c), one.least, one.most, one.ideal, one.off);
        even = even && one.most - one.least <= 1;
    }
    if (even)
        printf("repeat %d: as even as any folds could be, also of single cases without regard to patients\n",
               of->repeat);
    else
        printf("repeat %d: single cases without regard to patients could be shared out more evenly\n", of->repeat);
}

static void print_holdout(const counts *of, double share) {
    for (int c = 0; c < of->classes; c++) {
        int held = of->cases[of->folds * of->classes + c], total = held;
        for (int f = 0; f < of->folds; f++)
            total += of->cases[f * of->classes + c];
        printf("held out, class %s: %d of %d cases", cmus_dataset_class_name(of->dataset, c), held, total);
        if (share >= 0)
            printf(", ideal %.3g; off by %.2g", share * total, fabs(held - share * total));
        printf("\n");
    }
}

void cmus_split_print_table(const cmus_dataset *dataset, const cmus_splits *splits, double holdout) {
    printf("repeat     fold   cases");
    for (int c = 0; c < cmus_dataset_class_count(dataset); c++)
        printf("  %10s", cmus_dataset_class_name(dataset, c));
    printf("\n");
    for (int r = 0; r < splits->repeats; r++) {
        counts of = count(dataset, splits, r);
        for (int row = 0; row < of.folds + (row_total(&of, of.folds) > 0); row++)
            print_row(&of, row);
        cmus_free(of.cases);
    }
    for (int r = 0; r < splits->repeats; r++) {
        counts of = count(dataset, splits, r);
        print_evenness(&of);
        if (r == splits->repeats - 1 && row_total(&of, of.folds) > 0)
            print_holdout(&of, holdout);
        cmus_free(of.cases);
    }
}
