/* Images with equal pixels: files copied under two patients, or twice under one. */
#include <stdlib.h>
#include <string.h>

#include "check_parts.h"
#include "cmus/memory.h"

typedef struct entry {
    uint64_t content;
    size_t image;
} entry;

static int compare(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

/* One use of an image by a case. */
typedef struct use {
    size_t image, case_number;
} use;

/* A list names a file twice where two bags share it, but not all of their files. */
static bool is_one_file(const cmus_check *check, size_t a, size_t b) {
    return strcmp(check->list->images[a].shown, check->list->images[b].shown) == 0;
}

static void add_defect(const cmus_check *check, use one, use other) {
    const cmus_source_case *case_of_one = &check->list->cases[one.case_number];
    const cmus_source_case *case_of_other = &check->list->cases[other.case_number];
    const cmus_source_image *images = check->list->images;
    if (is_one_file(check, one.image, other.image))
        cmus_findings_add(check->findings, CMUS_DEFECT, case_of_one->case_id, images[one.image].shown,
                          "used under two patients, here and in case %s", case_of_other->case_id);
    else
        cmus_findings_add(check->findings, CMUS_DEFECT, case_of_one->case_id, images[one.image].shown,
                          "under another patient there is the same picture, pixel by pixel: %s of case %s",
                          images[other.image].shown, case_of_other->case_id);
    cmus_check_reject(check, one.case_number);
}

/* The first use of the group by another patient than `patient`; false: there is none. */
static bool find_other(const cmus_check *check, const entry *group, size_t count, size_t patient, use *found) {
    for (size_t i = 0; i < count; i++)
        for (size_t u = check->first_use[group[i].image]; u < check->first_use[group[i].image + 1]; u++)
            if (check->patient[check->uses[u]] != patient) {
                *found = (use){group[i].image, check->uses[u]};
                return true;
            }
    return false;
}

/* Every use of every image is an error, named together with the first one by another patient. */
static void report_patients(const cmus_check *check, const entry *group, size_t count, use other) {
    use first = {group[0].image, check->uses[check->first_use[group[0].image]]};
    for (size_t i = 0; i < count; i++)
        for (size_t u = check->first_use[group[i].image]; u < check->first_use[group[i].image + 1]; u++) {
            use one = {group[i].image, check->uses[u]};
            bool same = check->patient[one.case_number] == check->patient[first.case_number];
            add_defect(check, one, same ? other : first);
        }
}

/* Under one patient: each image is compared with the first. */
static void report_copies(const cmus_check *check, const entry *group, size_t count) {
    const cmus_source_case *first = cmus_check_case(check, group[0].image);
    const char *shown = check->list->images[group[0].image].shown;
    for (size_t i = 1; i < count; i++) {
        const cmus_source_case *one = cmus_check_case(check, group[i].image);
        const char *place = check->list->images[group[i].image].shown;
        if (cmus_check_share_case(check, group[0].image, group[i].image))
            cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                              "the same picture twice in a case: equal to %s", shown);
        else if (is_one_file(check, group[0].image, group[i].image))
            continue;
        else if (one->label != first->label)
            cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                              "the same picture in two classes: equal to %s of this patient's case %s", shown,
                              first->case_id);
        else
            cmus_findings_add(check->findings, CMUS_WARNING, one->case_id, place,
                              "the same picture in two cases: equal to %s of this patient's case %s", shown,
                              first->case_id);
    }
}

static void check_group(const cmus_check *check, const entry *group, size_t count) {
    use other;
    size_t patient = check->patient[check->uses[check->first_use[group[0].image]]];
    if (find_other(check, group, count, patient, &other))
        report_patients(check, group, count, other);
    else
        report_copies(check, group, count);
}

/* Entries of all images that can be equal to others, equal ones together. Returns their number. */
static size_t collect(const cmus_check *check, entry *entries) {
    size_t count = 0;
    for (size_t i = 0; i < check->list->image_count; i++)
        if (check->first_use[i] < check->first_use[i + 1] && !check->prepared[i].damage &&
            !check->prepared[i].measures.constant)
            entries[count++] = (entry){check->prepared[i].measures.content, i};
    qsort(entries, count, sizeof *entries, compare);
    return count;
}

void cmus_check_equal(const cmus_check *check, bool *single) {
    size_t images = check->list->image_count;
    entry *entries = cmus_allocate(images, sizeof *entries);
    size_t *place = cmus_allocate(images, sizeof *place); /* of a group's first image in the entries */
    size_t count = collect(check, entries);
    for (size_t i = 0; i < count; i++) {
        single[entries[i].image] = i == 0 || entries[i].content != entries[i - 1].content;
        place[entries[i].image] = i;
    }
    for (size_t image = 0; image < images; image++) {
        if (!single[image])
            continue;
        size_t end = place[image];
        while (end < count && entries[end].content == entries[place[image]].content)
            end++;
        check_group(check, entries + place[image], end - place[image]);
    }
    cmus_free(entries);
    cmus_free(place);
}
