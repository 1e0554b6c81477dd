/* Cases of folders of image files. */
#include <string.h>

#include "case_images.h"
#include "case_tree.h"
#include "cmus/memory.h"

static void free_prefixes(cmus_name_prefix *prefixes, size_t count) {
    for (size_t i = 0; i < count; i++)
        cmus_free((void *)prefixes[i].name);
    cmus_free(prefixes);
}

/* [options->prefix_count]; after a failure there is nothing to be freed. */
static cmus_status parse_prefixes(const cmus_case_source_options *options, cmus_name_prefix **result) {
    cmus_name_prefix *prefixes = cmus_allocate(options->prefix_count, sizeof *prefixes);
    for (size_t i = 0; i < options->prefix_count; i++)
        if (!cmus_name_prefix_parse(options->prefixes[i], &prefixes[i])) {
            free_prefixes(prefixes, i);
            return cmus_fail(CMUS_ERROR_ARGUMENT, "--prefix is '%s', but should be NAME=OM, NAME=IM or NAME=TEM",
                             options->prefixes[i]);
        }
    *result = prefixes;
    return CMUS_OK;
}

/* Whether the cases that are left can be predicted. */
static cmus_status judge(const cmus_case_list *list, const cmus_findings *findings, bool skip_errors) {
    if (!skip_errors)
        return findings->defects == 0
                   ? CMUS_OK
                   : cmus_fail(CMUS_ERROR_DATA, "%zu defects, listed above; nothing was predicted", findings->defects);
    for (size_t i = 0; i < findings->count; i++) {
        const cmus_finding *one = &findings->list[i];
        if (one->severity == CMUS_DEFECT && !*one->case_id && !one->of_rejected)
            return cmus_fail(CMUS_ERROR_DATA, "%s: %s; this concerns no single case that could be skipped", one->place,
                             one->what);
    }
    for (size_t i = 0; i < list->case_count; i++)
        if (!list->cases[i].rejected)
            return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "no case is without errors");
}

static cmus_status scan_trees(const char *const *trees, size_t tree_count, const cmus_name_prefix *prefixes,
                              const cmus_case_source_options *options, cmus_case_list *list) {
    bool lacking = options->allow_missing;
    const char *why = lacking ? NULL : cmus_case_may_lack;
    cmus_scan_options scan = {
        .prefixes = prefixes,
        .prefix_count = options->prefix_count,
        .has = {true, true, true},
        .optional = {[CMUS_IMAGE_OM] = lacking, [CMUS_IMAGE_IM] = lacking},
        .why = {[CMUS_IMAGE_OM] = why, [CMUS_IMAGE_IM] = why, [CMUS_IMAGE_TEM] = cmus_case_needs_tem},
        .for_prediction = true};
    cmus_findings findings = {0};
    cmus_status status = cmus_case_tree_scan(trees, tree_count, &scan, &findings, list);
    if (status == CMUS_OK) {
        if (!options->quiet)
            cmus_findings_print(&findings, NULL);
        status = judge(list, &findings, options->skip_errors);
    }
    cmus_findings_free(&findings);
    return status;
}

/* The trees with commas between. */
static char *name_trees(const char *const *trees, size_t tree_count) {
    char *text = cmus_copy_string(trees[0]);
    for (size_t i = 1; i < tree_count; i++) {
        char *longer = cmus_format_string("%s, %s", text, trees[i]);
        cmus_free(text);
        text = longer;
    }
    return text;
}

cmus_status cmus_case_source_open_trees(const char *const *trees, size_t tree_count,
                                        const cmus_case_source_options *options, cmus_case_source **result) {
    cmus_case_images *images;
    cmus_name_prefix *prefixes = NULL;
    *result = NULL;
    CMUS_TRY(parse_prefixes(options, &prefixes));
    cmus_status status = cmus_case_images_make(options, &images);
    if (status != CMUS_OK) {
        free_prefixes(prefixes, options->prefix_count);
        return status;
    }
    char *name = name_trees(trees, tree_count);
    cmus_case_source *source = cmus_case_source_begin(&cmus_case_images_backend, images, name, options);
    status = scan_trees(trees, tree_count, prefixes, options, cmus_case_images_list(images));
    if (status == CMUS_OK)
        cmus_case_images_add(source, images);
    cmus_free(name);
    free_prefixes(prefixes, options->prefix_count);
    return cmus_case_source_finish(source, options, status, result);
}
