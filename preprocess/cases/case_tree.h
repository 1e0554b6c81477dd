/* Cases found in folders: <class>/<patient>/<MODALITY>_....<ext>, MODALITY OM, IM or TEM; for prediction also
 * <case>/<MODALITY>_....<ext>, or the folder of a single case (flat_tree.h). */
#ifndef CMUS_CASE_TREE_H
#define CMUS_CASE_TREE_H

#include "case_list.h"
#include "cmus/status.h"
#include "findings.h"

/* Looks through the source folders. Whatever is wrong with single cases or files becomes a finding; such a case is in
 * the list and rejected. IO or NOT_FOUND if a folder can't be read; for prediction DATA if images of a source lie at
 * two depths. Free the list by cmus_case_list_free(), also after a failure. */
cmus_status cmus_case_tree_scan(const char *const *sources, size_t source_count, const cmus_scan_options *options,
                                cmus_findings *findings, cmus_case_list *list);

#endif
