/* What the picture and the page of a case say alike: order, scales and texts. Texts that are char *: free with
 * cmus_free(). Not collective.
 */
#ifndef CMUS_CASE_WORDS_H
#define CMUS_CASE_WORDS_H

#include "cmus/case_picture.h"

/* TEM images [tem_count] from the largest weight to the smallest, those that are left out behind all others; free with
 * cmus_free(). */
int *cmus_tem_order(const cmus_case_picture *picture);
int cmus_tem_left_out(const cmus_case_picture *picture);

/* The largest heat of the bag, by which all of its maps are scaled. */
float cmus_tem_largest(const cmus_case_picture *picture);

/* The scale of a map of attention [side][side], whose sum counts as 1: its largest value, and at which share of that
 * the value lies that all would have if nothing were preferred. */
typedef struct cmus_attention_scale {
    double largest, uniform;
} cmus_attention_scale;
cmus_attention_scale cmus_attention_scale_of(const float *map, int side);

/* Probability of a class by the first head, or if that says nothing by the mean of those that do; NaN: none does.
 * *spread: NaN if there is none. */
double cmus_leading_probability(const cmus_case_picture *picture, int class_number, double *spread);

/* "0.873 ± 0.031", "0.873", or a dash for NaN. */
char *cmus_probability_words(double probability, double spread);
/* The predicted class's probability and what it is, in a sentence without a stop. */
char *cmus_predicted_words(const cmus_case_picture *picture);
/* The name of a class, or "none" for -1. */
const char *cmus_class_words(const cmus_case_picture *picture, int class_number);
/* Why a head says nothing: "IM image is missing". */
char *cmus_missing_words(const cmus_case_picture *picture, const cmus_picture_head *head);
/* How many TEM images, their order and those left out. */
char *cmus_bag_words(const cmus_case_picture *picture);
/* "weight 0.412, distance 13.2". */
char *cmus_weight_words(const cmus_picture_image *image);
/* Whether it is known to be another class than the predicted one. */
bool cmus_predicted_wrong(const cmus_case_picture *picture);

/* How to read the maps, a paragraph each. */
enum { CMUS_NOTES = 4 };
char *cmus_note(const cmus_case_picture *picture, int number);

#endif
