#include "case_row.h"

#include <stdlib.h>
#include <string.h>

#include "cmus/dataset_index.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "names.h"

/* The order of a case's modalities. */
static const cmus_image_kind kinds[] = {CMUS_IMAGE_OM, CMUS_IMAGE_IM, CMUS_IMAGE_TEM};

enum { NAMES_SAID = 5 }; /* of files that are not used */

static const char *base_name(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The file's name without its folder, unless another of the files is called so. */
static const char *short_name(const cmus_row_file *files, size_t count, size_t number) {
    const char *base = base_name(files[number].name);
    for (size_t i = 0; i < count; i++)
        if (i != number && strcmp(base_name(files[i].name), base) == 0)
            return files[number].name;
    return base;
}

/* How messages name a file of the row. */
static char *say_file(const cmus_row_adder *self, const cmus_row_file *files, size_t count, size_t number) {
    return self->options->identity ? cmus_name_of_path(self->options->identity, files[number].path)
                                   : cmus_copy_string(short_name(files, count, number));
}

/* Files 1 to count - 1. */
static char *say_others(const cmus_row_adder *self, const cmus_row_file *files, size_t count) {
    char *text = cmus_copy_string("");
    for (size_t i = 1; i < count && i <= NAMES_SAID; i++) {
        char *said = say_file(self, files, count, i);
        char *longer = cmus_format_string("%s%s%s", text, i > 1 ? ", " : "", said);
        cmus_free(said);
        cmus_free(text);
        text = longer;
    }
    if (count > NAMES_SAID + 1) {
        char *longer = cmus_format_string("%s and %zu more", text, count - NAMES_SAID - 1);
        cmus_free(text);
        text = longer;
    }
    return text;
}

static void report_others(const cmus_row_adder *self, const cmus_case_row *row, const char *case_id,
                          cmus_image_kind kind) {
    size_t count = row->count[kind];
    if (kind == CMUS_IMAGE_TEM || count < 2 || (kind == CMUS_IMAGE_OM && self->options->every_om))
        return;
    char *first = say_file(self, row->files[kind], count, 0), *others = say_others(self, row->files[kind], count);
    cmus_findings_add(self->findings, CMUS_WARNING, case_id, row->place,
                      "has %zu %s images: the first, %s, is used, but not %s", count, cmus_image_kind_name(kind), first,
                      others);
    cmus_free(first);
    cmus_free(others);
}

static bool is_missing(const cmus_row_adder *self, const cmus_case_row *row, cmus_image_kind kind) {
    return self->options->has[kind] && !self->options->optional[kind] && !row->count[kind] && !row->unusable[kind];
}

/* "a case without OM and TEM images", or NULL if the row has all modalities that it must have. */
static char *name_missing(const cmus_row_adder *self, const cmus_case_row *row) {
    const char *missing[CMUS_IMAGE_KINDS];
    int count = 0;
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++)
        if (is_missing(self, row, kinds[k]))
            missing[count++] = cmus_image_kind_name(kinds[k]);
    return count == 0   ? NULL
           : count == 1 ? cmus_format_string("a case without %s image", missing[0])
           : count == 2 ? cmus_format_string("a case without %s and %s images", missing[0], missing[1])
                        : cmus_format_string("a case without %s, %s and %s images", missing[0], missing[1], missing[2]);
}

/* The same with the first reason why they are needed, TEM before the others. */
static char *find_missing(const cmus_row_adder *self, const cmus_case_row *row) {
    char *missing = name_missing(self, row);
    for (int kind = 0; missing && kind < CMUS_IMAGE_KINDS; kind++) {
        const char *why = self->options->why[kind];
        if (!why || !is_missing(self, row, (cmus_image_kind)kind))
            continue;
        char *longer = cmus_format_string("%s: %s", missing, why);
        cmus_free(missing);
        return longer;
    }
    return missing;
}

/* Reports images that are missing or too many. Returns why the row's cases are rejected, or NULL. */
static char *check_row(const cmus_row_adder *self, const cmus_case_row *row, const char *case_id) {
    for (int k = 0; k < CMUS_IMAGE_KINDS; k++)
        report_others(self, row, case_id, kinds[k]);
    char *missing = find_missing(self, row);
    if (missing) {
        cmus_findings_add_kind(self->findings, "missing", CMUS_DEFECT, case_id, row->place, "%s", missing);
        self->findings->list[self->findings->count - 1].of_rejected = true; /* also if the row has no case id */
    }
    return missing;
}

static size_t add_image(const cmus_row_adder *self, const cmus_case_row *row, cmus_image_kind kind, size_t number) {
    const cmus_row_file *file = &row->files[kind][number];
    cmus_identity *identity = self->options->identity;
    size_t added = cmus_case_list_add_image(
        self->list,
        &(cmus_source_image){.path = cmus_copy_string(file->path),
                             .shown = cmus_name_of_path(identity, file->path),
                             .source = cmus_identity_source(identity, file->name, row->case_id, kind, (int)number),
                             .kind = kind});
    if (self->image_of)
        self->image_of[file->number] = (ptrdiff_t)added;
    return added;
}

static ptrdiff_t find_image(const cmus_row_adder *self, const cmus_row_file *file) {
    return self->image_of ? self->image_of[file->number] : CMUS_NO_IMAGE;
}

static ptrdiff_t take_image(const cmus_row_adder *self, const cmus_case_row *row, cmus_image_kind kind, size_t number) {
    ptrdiff_t known = find_image(self, &row->files[kind][number]);
    return known != CMUS_NO_IMAGE ? known : (ptrdiff_t)add_image(self, row, kind, number);
}

/* The number of the first of the row's TEM images, which lie together: those of an earlier case if it has the same. */
static size_t take_bag(const cmus_row_adder *self, const cmus_case_row *row) {
    const cmus_row_file *files = row->files[CMUS_IMAGE_TEM];
    size_t count = row->count[CMUS_IMAGE_TEM], same = 0;
    ptrdiff_t first = count ? find_image(self, &files[0]) : CMUS_NO_IMAGE;
    while (first != CMUS_NO_IMAGE && same < count && find_image(self, &files[same]) == first + (ptrdiff_t)same)
        same++;
    if (count && same == count)
        return (size_t)first;
    size_t added = self->list->image_count;
    for (size_t i = 0; i < count; i++)
        add_image(self, row, CMUS_IMAGE_TEM, i);
    return added;
}

/* Length of a file's name without its extension. */
static size_t stem_length(const char *name) {
    const char *dot = strrchr(base_name(name), '.');
    return dot && dot > base_name(name) ? (size_t)(dot - name) : strlen(name);
}

/* How much of their names the cases of a row's OM images are called by. */
typedef enum name_part { STEM, WITH_ENDING, WITH_FOLDER } name_part;

static char *take_part(const char *name, name_part part) {
    const char *base = base_name(name);
    return part == STEM ? cmus_format_string("%.*s", (int)stem_length(base), base)
                        : cmus_copy_string(part == WITH_ENDING ? base : name);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool are_different(char *const *names, size_t count) {
    char **sorted = cmus_allocate(count, sizeof *sorted);
    memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_texts);
    bool different = true;
    for (size_t i = 1; i < count; i++)
        different = different && strcmp(sorted[i], sorted[i - 1]) != 0;
    cmus_free(sorted);
    return different;
}

/* What tells the cases of the row's OM images apart: the files' names without folder and ending. If two are called
 * alike, all of the row keep their ending, as one ending alone may make a name that another file has; if that is not
 * enough, their folder too. Free by cmus_names_free(). */
static char **name_om_cases(const cmus_case_row *row) {
    size_t count = row->count[CMUS_IMAGE_OM];
    for (name_part part = STEM;; part++) {
        char **names = cmus_allocate(count, sizeof *names);
        for (size_t i = 0; i < count; i++)
            names[i] = take_part(row->files[CMUS_IMAGE_OM][i].name, part);
        if (part == WITH_FOLDER || are_different(names, count))
            return names;
        cmus_names_free(names, count);
    }
}

static void add_case(const cmus_row_adder *self, const cmus_case_row *row, const char *case_id) {
    cmus_identity *identity = self->options->identity;
    cmus_case_list_add_case(
        self->list,
        &(cmus_source_case){.case_id = cmus_identity_case(*case_id ? identity : NULL, case_id),
                            .patient_id = cmus_identity_patient(*row->patient_id ? identity : NULL, row->patient_id),
                            .place = cmus_copy_string(row->place),
                            .class_name = cmus_copy_string(row->class_name),
                            .label = row->label,
                            .om = CMUS_NO_IMAGE,
                            .im = CMUS_NO_IMAGE});
}

static void reject_long(const cmus_row_adder *self, size_t number) {
    const cmus_source_case *one = &self->list->cases[number];
    static const char why[] = "the case id that --om-per-case makes is too long";
    cmus_findings_add(self->findings, CMUS_DEFECT, one->case_id, one->place, why);
    cmus_case_list_reject(self->list, number, why);
}

/* The row's cases, which share all images but OM, without their images. Returns the number of the first. */
static size_t add_cases(const cmus_row_adder *self, const cmus_case_row *row) {
    size_t first = self->list->case_count, count = row->count[CMUS_IMAGE_OM];
    bool each = self->options->every_om && count > 0;
    char **names = each ? name_om_cases(row) : NULL;
    for (size_t i = 0; i < (each ? count : 1); i++) {
        char *case_id = each ? cmus_path_join(row->case_id, names[i]) : cmus_copy_string(row->case_id);
        add_case(self, row, case_id);
        if (each && strlen(case_id) > CMUS_ID_BYTES)
            reject_long(self, self->list->case_count - 1);
        cmus_free(case_id);
    }
    if (names)
        cmus_names_free(names, count);
    return first;
}

static void add_images(const cmus_row_adder *self, const cmus_case_row *row, size_t first) {
    cmus_source_case *cases = self->list->cases;
    size_t end = self->list->case_count;
    if (row->count[CMUS_IMAGE_OM])
        for (size_t i = first; i < end; i++)
            cases[i].om = take_image(self, row, CMUS_IMAGE_OM, i - first);
    ptrdiff_t im = row->count[CMUS_IMAGE_IM] ? take_image(self, row, CMUS_IMAGE_IM, 0) : CMUS_NO_IMAGE;
    size_t bag = take_bag(self, row);
    for (size_t i = first; i < end; i++) {
        cases[i].im = im;
        cases[i].first_tem = bag;
        cases[i].tem_count = (int)row->count[CMUS_IMAGE_TEM];
    }
}

void cmus_case_row_add(const cmus_row_adder *self, const cmus_case_row *row) {
    size_t first = add_cases(self, row);
    bool looked_at = row->label != CMUS_LABEL_STRANGE;
    char *missing = looked_at ? check_row(self, row, self->list->cases[first].case_id) : NULL;
    if (!row->rejected && looked_at)
        add_images(self, row, first);
    const char *why = row->rejected ? row->rejected : row->spoilt ? row->spoilt : missing;
    for (size_t i = first; why && i < self->list->case_count; i++)
        cmus_case_list_reject(self->list, i, why);
    cmus_free(missing);
}

static int compare_ids(const void *a, const void *b) {
    const cmus_source_case *x = *(cmus_source_case *const *)a, *y = *(cmus_source_case *const *)b;
    int order = strcmp(x->case_id, y->case_id);
    return order ? order : (x > y) - (x < y);
}

/* The case's id is that of another too. Nobody can tell which is right: each of them is rejected. */
static void reject_equal_id(cmus_findings *findings, cmus_case_list *list, const cmus_source_case *one,
                            const cmus_source_case *other) {
    char *what = cmus_format_string("the case id %s is also that of %s", one->case_id, other->place);
    cmus_findings_add_kind(findings, "case id", CMUS_DEFECT, one->case_id, one->place, "%s", what);
    cmus_case_list_reject(list, (size_t)(one - list->cases), what);
    cmus_free(what);
}

void cmus_case_row_report_equal_ids(cmus_findings *findings, cmus_case_list *list, bool rejected) {
    size_t count = 0;
    cmus_source_case **cases = cmus_allocate(list->case_count, sizeof *cases);
    for (size_t i = 0; i < list->case_count; i++)
        if (rejected || !list->cases[i].rejected)
            cases[count++] = &list->cases[i];
    if (count)
        qsort(cases, count, sizeof *cases, compare_ids);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && strcmp(cases[end]->case_id, cases[first]->case_id) == 0;)
            end++;
        if (end == first + 1 || !*cases[first]->case_id)
            continue;
        for (size_t i = first; i < end; i++)
            reject_equal_id(findings, list, cases[i], cases[i == first ? first + 1 : first]);
    }
    cmus_free(cases);
}
