/* Small pictures of the wrong cases, taken from the data set that they were packed into. */
#ifndef CMUS_REPORT_THUMBNAILS_H
#define CMUS_REPORT_THUMBNAILS_H

#include <stddef.h>

#include "cmus/dataset.h"
#include "cmus/status.h"
#include "report/cases.h"

typedef struct report_thumbnail {
    report_head modality; /* REPORT_OM, REPORT_IM or REPORT_TEM */
    size_t image;         /* number of the TEM image in the case's bag, else 0 */
    char *jpeg;           /* base64 */
} report_thumbnail;

typedef struct report_case_thumbnails {
    report_case one;
    report_thumbnail *list; /* [count]: OM, IM, TEM as far as the network has them */
    size_t count;
} report_case_thumbnails;

typedef struct report_thumbnails {
    report_case_thumbnails *cases; /* [count]: the surest wrong cases first */
    size_t count;
    int side; /* of the pictures in pixels */
} report_thumbnails;

/* Pictures of the wrong cases that take at most `budget` letters of base64: all of them as large as fits; at the
 * smallest size, the surest ones only. MISMATCH if the run was not trained on this data set, or an external
 * test set is not of it; FORMAT, CHECKSUM and DATA
 * name the case. Free by report_thumbnails_free(), also after a failure. */
cmus_status report_thumbnails_make(cmus_dataset *dataset, const report_evaluation *evaluation, size_t budget,
                                   report_thumbnails *thumbnails);
void report_thumbnails_free(report_thumbnails *thumbnails);

#endif
