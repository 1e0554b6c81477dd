/* What the image files of a data set were like, for dataset.json ("statistics"; its form: src/data/README.md). */
#ifndef CMUS_STATISTICS_H
#define CMUS_STATISTICS_H

#include "prepare.h"

/* prepared: [list->image_count]. Counts the files that cases of the list use, each once. A JSON object; free with
 * cmus_free(). */
char *cmus_describe_images(const cmus_case_list *list, const cmus_prepared_image *prepared);

#endif
