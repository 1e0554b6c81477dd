/* The checks that need what is in the images; all of them come before the first shard is written.
 *
 * An error rejects every case it concerns; a warning rejects none:
 *
 * | finding | severity |
 * |---|---|
 * | a file that can't be decoded | error |
 * | an image of one colour: no microscope makes it, so an export failed; a black IM image, which a negative stain may
 *   give where the camera's offset is taken off, is only nearly black | error |
 * | nearly black; almost one colour | warning: negative stains are dark, a bag may hold an empty field |
 * | a size far from those of the same modality | warning |
 * | equal pixels under two patients: one of them would be trained on with the other held out | error |
 * | equal pixels under one patient | warning: a fold keeps a patient together |
 * | similar pixels, also of other modalities | warning |
 * | a patient in two classes | warning: there are such patients |
 * | coordinates or names in the tags of a file | warning: a data set never has them |
 * | files with several pages | one warning with their number |
 */
#ifndef CMUS_CHECKS_H
#define CMUS_CHECKS_H

#include "case_list.h"
#include "findings.h"
#include "pack_options.h"
#include "prepare.h"

/* Gives the gray values (cmus_measure_gray()) of a resized image: gray [image_size][image_size]. */
typedef cmus_status cmus_give_pixels(void *data, size_t image, uint8_t *gray);

/* Adds to the findings, in an order that depends on the list alone, and marks the cases with errors as rejected.
 * prepared: [list->image_count]. Pixels are asked for only to confirm that images are similar, of few images; a failure
 * of `give` is passed on. */
cmus_status cmus_check_images(cmus_case_list *list, const cmus_prepared_image *prepared, int image_size,
                              cmus_give_pixels *give, void *data, cmus_findings *findings);

/* Whether packing goes on after all checks: DATA if there are errors and on_error is CMUS_STOP, or, with CMUS_SKIP, if
 * an error concerns no case that could be left out (a folder that can't be read), if all cases of a class are rejected
 * (the data set would be another one than was asked for; a class is left out by --classes), or if there is no case at
 * all. After CMUS_OK the caller drops the rejected cases (cmus_case_list_drop_rejected()); images of no other case are
 * then in no shard. */
cmus_status cmus_checks_judge(const cmus_case_list *list, const cmus_findings *findings, cmus_on_error on_error);

#endif
