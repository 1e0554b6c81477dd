#include "checks.h"

#include <stdlib.h>
#include <string.h>

#include "check_parts.h"
#include "cmus/memory.h"

/* Nearly black: the mean and two deviations, so nearly all pixels, are below this gray value. */
static const float BLACK = 9;
/* Almost one colour: the gray values differ by less. */
enum { FLAT = 8 };

const cmus_source_case *cmus_check_case(const cmus_check *check, size_t image) {
    return &check->list->cases[check->uses[check->first_use[image]]];
}

bool cmus_check_share_case(const cmus_check *check, size_t a, size_t b) {
    for (size_t i = check->first_use[a]; i < check->first_use[a + 1]; i++)
        for (size_t j = check->first_use[b]; j < check->first_use[b + 1]; j++)
            if (check->uses[i] == check->uses[j])
                return true;
    return false;
}

bool cmus_check_is_flat(const cmus_image_measures *measures) {
    return measures->brightest - measures->darkest < FLAT;
}

void cmus_check_reject(const cmus_check *check, size_t case_number) {
    const cmus_finding *last = &check->findings->list[check->findings->count - 1];
    char *why = cmus_format_string("%s: %s", last->place, last->what);
    cmus_case_list_reject(check->list, case_number, why);
    cmus_free(why);
}

/* Calls `each` with all images of the case, in the order OM, IM, TEM. */
static void visit(const cmus_check *check, size_t case_number, void (*each)(const cmus_check *, size_t, size_t)) {
    const cmus_source_case *one = &check->list->cases[case_number];
    if (one->om != CMUS_NO_IMAGE)
        each(check, case_number, (size_t)one->om);
    if (one->im != CMUS_NO_IMAGE)
        each(check, case_number, (size_t)one->im);
    for (int i = 0; i < one->tem_count; i++)
        each(check, case_number, one->first_tem + (size_t)i);
}

/* Into the place behind, so that adding up gives the begin of each image's cases. */
static void count_use(const cmus_check *check, size_t case_number, size_t image) {
    (void)case_number;
    check->first_use[image + 1]++;
}

/* first_use[i] moves on to its end; make_uses() moves all back. */
static void put_use(const cmus_check *check, size_t case_number, size_t image) {
    check->uses[check->first_use[image]++] = case_number;
}

static void make_uses(cmus_check *check) {
    size_t images = check->list->image_count;
    check->first_use = cmus_allocate(images + 1, sizeof *check->first_use);
    for (size_t i = 0; i < check->list->case_count; i++)
        visit(check, i, count_use);
    for (size_t i = 0; i < images; i++)
        check->first_use[i + 1] += check->first_use[i];
    check->uses = cmus_allocate(check->first_use[images], sizeof *check->uses);
    for (size_t i = 0; i < check->list->case_count; i++)
        visit(check, i, put_use);
    memmove(check->first_use + 1, check->first_use, images * sizeof *check->first_use);
    check->first_use[0] = 0;
}

/* A case by the text of its patient. */
typedef struct owner {
    const char *patient_id;
    size_t number;
} owner;

static int compare_owners(const void *a, const void *b) {
    const owner *x = a, *y = b;
    int order = strcmp(x->patient_id, y->patient_id);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* owners: the cases of one patient. Classes are named in the order of the cases, each with its first case. */
static void check_classes(const cmus_check *check, const owner *owners, size_t count) {
    const cmus_case_list *list = check->list;
    bool *seen = cmus_allocate(list->class_count, sizeof *seen);
    char *classes = cmus_copy_string("");
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const cmus_source_case *one = &list->cases[owners[i].number];
        if (one->label < 0 || seen[one->label])
            continue;
        seen[one->label] = true;
        char *longer =
            cmus_format_string("%s%s%s (case %s)", classes, found++ ? ", " : "", one->class_name, one->case_id);
        cmus_free(classes);
        classes = longer;
    }
    if (found > 1) {
        const cmus_source_case *one = &list->cases[owners[0].number];
        cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, one->place, "patient %s is in %zu classes: %s",
                          one->patient_id, found, classes);
    }
    cmus_free(classes);
    cmus_free(seen);
}

/* Numbers the patients and looks at the classes of each. */
static void check_patients(cmus_check *check) {
    size_t count = check->list->case_count, patients = 0;
    owner *owners = cmus_allocate(count, sizeof *owners);
    check->patient = cmus_allocate(count, sizeof *check->patient);
    for (size_t i = 0; i < count; i++)
        owners[i] = (owner){check->list->cases[i].patient_id, i};
    qsort(owners, count, sizeof *owners, compare_owners);
    for (size_t begin = 0, end; begin < count; begin = end, patients++) {
        for (end = begin; end < count && strcmp(owners[end].patient_id, owners[begin].patient_id) == 0; end++)
            check->patient[owners[end].number] = patients;
        check_classes(check, owners + begin, end - begin);
    }
    cmus_free(owners);
}

static void check_damage(const cmus_check *check, size_t image) {
    for (size_t use = check->first_use[image]; use < check->first_use[image + 1]; use++) {
        size_t number = check->uses[use];
        cmus_findings_add_kind(check->findings, "damaged file", CMUS_DEFECT, check->list->cases[number].case_id,
                               check->list->images[image].shown, "%s", check->prepared[image].damage);
        cmus_check_reject(check, number);
    }
}

static void check_constant(const cmus_check *check, size_t image) {
    for (size_t use = check->first_use[image]; use < check->first_use[image + 1]; use++) {
        size_t number = check->uses[use];
        cmus_findings_add(check->findings, CMUS_DEFECT, check->list->cases[number].case_id,
                          check->list->images[image].shown, "no picture: all pixels are of one colour");
        cmus_check_reject(check, number);
    }
}

static bool is_black(const cmus_image_measures *measures) {
    return measures->mean + 2 * measures->deviation < BLACK;
}

static void check_brightness(const cmus_check *check, size_t image) {
    const cmus_image_measures *measures = &check->prepared[image].measures;
    const cmus_source_image *source = &check->list->images[image];
    const char *case_id = cmus_check_case(check, image)->case_id;
    if (measures->constant && !(is_black(measures) && source->kind == CMUS_IMAGE_IM))
        check_constant(check, image);
    else if (is_black(measures))
        cmus_findings_add(check->findings, CMUS_WARNING, case_id, source->shown,
                          "nearly black: its mean is %.1f of 255, its brightest pixel %d", (double)measures->mean,
                          measures->brightest);
    else if (cmus_check_is_flat(measures))
        cmus_findings_add(check->findings, CMUS_WARNING, case_id, source->shown,
                          "almost one colour: all gray values are from %d to %d", measures->darkest,
                          measures->brightest);
}

static void check_tags(const cmus_check *check, size_t image) {
    const cmus_prepared_image *prepared = &check->prepared[image];
    const char *shown = check->list->images[image].shown, *case_id = cmus_check_case(check, image)->case_id;
    if (prepared->has_position)
        cmus_findings_add(check->findings, CMUS_WARNING, case_id, shown,
                          "its tags tell where it was taken (GPS); the data set will not have them");
    if (prepared->has_person)
        cmus_findings_add(check->findings, CMUS_WARNING, case_id, shown,
                          "its tags may name a person or a hospital; the data set will not have them");
}

/* Once for all files. */
static void check_pages(const cmus_check *check) {
    size_t several = 0, example = 0;
    for (size_t i = 0; i < check->list->image_count; i++)
        if (check->prepared[i].more_pages && several++ == 0)
            example = i;
    if (several)
        cmus_findings_add(check->findings, CMUS_WARNING, NULL, check->list->images[example].shown,
                          "has several pages, as have %zu other files: the first page is used", several - 1);
}

cmus_status cmus_check_images(cmus_case_list *list, const cmus_prepared_image *prepared, int image_size,
                              cmus_give_pixels *give, void *data, cmus_findings *findings) {
    cmus_check check = {
        .list = list, .prepared = prepared, .image_size = image_size, .give = give, .data = data, .findings = findings};
    bool *single = cmus_allocate(list->image_count, sizeof *single);
    make_uses(&check);
    for (size_t i = 0; i < list->image_count; i++) {
        if (check.first_use[i] == check.first_use[i + 1])
            continue;
        if (prepared[i].damage) {
            check_damage(&check, i);
            continue;
        }
        check_brightness(&check, i);
        check_tags(&check, i);
    }
    check_pages(&check);
    check_patients(&check);
    cmus_check_sizes(&check);
    cmus_check_equal(&check, single);
    cmus_status status = cmus_check_similar(&check, single);
    cmus_free(check.first_use);
    cmus_free(check.uses);
    cmus_free(check.patient);
    cmus_free(single);
    return status;
}

/* Whether some cases of the class are rejected and no others are there. */
static bool is_lost(const cmus_case_list *list, size_t label) {
    bool rejected = false;
    for (size_t i = 0; i < list->case_count; i++) {
        if (list->cases[i].label != (int)label)
            continue;
        if (!list->cases[i].rejected)
            return false;
        rejected = true;
    }
    return rejected;
}

static cmus_status judge_skipping(const cmus_case_list *list, const cmus_findings *findings) {
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].severity == CMUS_DEFECT && findings->list[i].case_id[0] == '\0' &&
            !findings->list[i].of_rejected)
            return cmus_fail(CMUS_ERROR_DATA, "%s: %s; this concerns no single case that could be skipped",
                             findings->list[i].place, findings->list[i].what);
    for (size_t i = 0; i < list->class_count; i++)
        if (is_lost(list, i))
            return cmus_fail(CMUS_ERROR_DATA,
                             "all cases of class %s have errors: mend one, or leave the class out by --classes",
                             list->classes[i]);
    size_t kept = 0;
    for (size_t i = 0; i < list->case_count; i++)
        kept += !list->cases[i].rejected;
    return kept ? CMUS_OK : cmus_fail(CMUS_ERROR_DATA, "no case is without errors");
}

cmus_status cmus_checks_judge(const cmus_case_list *list, const cmus_findings *findings, cmus_on_error on_error) {
    if (on_error == CMUS_SKIP)
        return judge_skipping(list, findings);
    if (findings->defects == 0)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%zu defects, listed above; nothing was packed", findings->defects);
}
