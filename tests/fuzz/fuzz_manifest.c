/* Manifests of cases. The first byte chooses the options, the rest is the CSV file. Its files are not looked for: what
 * is on the disk must not decide what an input does. */
#include "case_list.h"
#include "cmus/log.h"
#include "findings.h"
#include "fuzz.h"
#include "manifest.h"

/* What the manifest's reader promises of cases that it does not reject. */
static void check_promises(const cmus_case_list *list, const cmus_scan_options *options) {
    for (size_t i = 0; i < list->case_count; i++) {
        const cmus_source_case *one = &list->cases[i];
        if (one->rejected)
            continue;
        if (one->label < 0 || (size_t)one->label >= list->class_count || !*one->case_id || !*one->patient_id)
            cmus_fatal("case %zu was accepted without a class or an id", i);
        if (options->has[CMUS_IMAGE_OM] && (one->om < 0 || (size_t)one->om >= list->image_count))
            cmus_fatal("case %zu was accepted without an OM image", i);
        if (options->has[CMUS_IMAGE_IM] && (one->im < 0 || (size_t)one->im >= list->image_count))
            cmus_fatal("case %zu was accepted without an IM image", i);
        if (options->has[CMUS_IMAGE_TEM] &&
            (one->tem_count < 1 || one->first_tem + (size_t)one->tem_count > list->image_count))
            cmus_fatal("case %zu was accepted without TEM images", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const classes[] = {"A", "B"};
    if (size == 0)
        return 0;
    uint8_t lacking = *data & 7;
    cmus_scan_options options = {.class_count = *data & 8 ? 2 : 0,
                                 .classes = *data & 8 ? classes : NULL,
                                 .has = {!(lacking & 1), !(lacking & 2), !(lacking & 4)},
                                 .every_om = *data & 16};
    if (lacking == 7)
        return 0; /* a data set has a modality */
    cmus_findings findings = {0};
    cmus_case_list list = {0};
    cmus_status status =
        cmus_manifest_parse((const char *)data + 1, size - 1, "cases.csv", NULL, &options, &findings, &list);
    if (status == CMUS_OK)
        check_promises(&list, &options);
    else
        cmus_fuzz_reached(cmus_last_error());
    for (size_t i = 0; i < findings.kind_count; i++)
        cmus_fuzz_reached(findings.kinds[i].name);
    cmus_fuzz_feature(list.case_count < 4 ? list.case_count : 4);
    cmus_findings_free(&findings);
    cmus_case_list_free(&list);
    return 0;
}
