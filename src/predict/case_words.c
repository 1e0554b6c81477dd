#include "case_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "colour_map.h"

/* An image as it is sorted. */
typedef struct placed_image {
    const cmus_picture_image *image;
    int number;
} placed_image;

static int compare_placed(const void *a, const void *b) {
    const placed_image *left = a, *right = b;
    if (left->image->kept != right->image->kept)
        return left->image->kept ? -1 : 1;
    if (left->image->weight != right->image->weight)
        return left->image->weight > right->image->weight ? -1 : 1;
    return left->number - right->number;
}

int *cmus_tem_order(const cmus_case_picture *picture) {
    size_t count = (size_t)picture->tem_count;
    placed_image *placed = cmus_allocate(count, sizeof *placed);
    int *order = cmus_allocate(count, sizeof *order);
    for (size_t i = 0; i < count; i++)
        placed[i] = (placed_image){&picture->tem[i], (int)i};
    if (count)
        qsort(placed, count, sizeof *placed, compare_placed);
    for (size_t i = 0; i < count; i++)
        order[i] = placed[i].number;
    cmus_free(placed);
    return order;
}

int cmus_tem_left_out(const cmus_case_picture *picture) {
    int count = 0;
    for (int i = 0; i < picture->tem_count; i++)
        count += !picture->tem[i].kept;
    return count;
}

float cmus_tem_largest(const cmus_case_picture *picture) {
    float largest = 0;
    for (int i = 0; i < picture->tem_count; i++)
        if (picture->tem[i].heat)
            largest = fmaxf(largest, cmus_map_largest(picture->tem[i].heat, picture->side));
    return largest;
}

cmus_attention_scale cmus_attention_scale_of(const float *map, int side) {
    double sum = 0, largest = (double)cmus_map_largest(map, side);
    for (int i = 0; i < side * side; i++)
        if (isfinite(map[i]))
            sum += (double)map[i];
    if (!(sum > 0) || !(largest > 0))
        return (cmus_attention_scale){0};
    return (cmus_attention_scale){.largest = largest / sum, .uniform = sum / (side * side) / largest};
}

double cmus_leading_probability(const cmus_case_picture *picture, int class_number, double *spread) {
    *spread = NAN;
    double sum = 0;
    int known = 0;
    for (int h = 0; h < picture->head_count; h++) {
        const cmus_picture_head *head = &picture->heads[h];
        if (!head->known)
            continue;
        if (h == 0) {
            *spread = head->spread ? head->spread[class_number] : NAN;
            return head->probabilities[class_number];
        }
        sum += head->probabilities[class_number];
        known++;
    }
    return known ? sum / known : NAN;
}

char *cmus_probability_words(double probability, double spread) {
    if (isnan(probability))
        return cmus_copy_string("–");
    return isnan(spread) ? cmus_format_string("%.3f", probability)
                         : cmus_format_string("%.3f ± %.3f", probability, spread);
}

char *cmus_predicted_words(const cmus_case_picture *picture) {
    if (picture->predicted < 0)
        return cmus_copy_string("no head can say anything");
    double spread, probability = cmus_leading_probability(picture, picture->predicted, &spread);
    char *number = cmus_probability_words(probability, spread), *words;
    if (picture->head_count && !picture->heads[0].known)
        words = cmus_format_string("probability %s (mean of the other heads)", number);
    else if (!isnan(spread))
        words = cmus_format_string("probability %s (SD of %d networks)", number, picture->models);
    else
        words = cmus_format_string("probability %s", number);
    cmus_free(number);
    return words;
}

const char *cmus_class_words(const cmus_case_picture *picture, int class_number) {
    return class_number < 0 || class_number >= picture->class_count ? "none" : picture->classes[class_number];
}

char *cmus_missing_words(const cmus_case_picture *picture, const cmus_picture_head *head) {
    const struct {
        const char *name;
        bool missing;
    } kinds[] = {{"OM", !picture->om.rgb}, {"IM", !picture->im.rgb}, {"TEM", picture->tem_count == 0}};
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    char text[32] = "";
    int count = 0, own = -1;
    for (int k = 0; k < KINDS; k++)
        if (strcmp(kinds[k].name, head->name) == 0)
            own = k;
    for (int k = 0; k < KINDS; k++)
        if (kinds[k].missing && (own < 0 || own == k)) {
            strcat(strcat(text, count ? " and " : ""), kinds[k].name);
            count++;
        }
    if (!count)
        return cmus_copy_string("an image is missing");
    return cmus_format_string("%s image%s missing", text, count > 1 ? "s are" : " is");
}

char *cmus_bag_words(const cmus_case_picture *picture) {
    int left_out = cmus_tem_left_out(picture);
    if (picture->tem_count < 2)
        return cmus_format_string("%d image", picture->tem_count);
    char *out = left_out ? cmus_format_string(", %d left out", left_out) : cmus_copy_string("");
    char *words = cmus_format_string("%d images by weight in the bag%s; mean distance %.4g", picture->tem_count, out,
                                     picture->mean_distance);
    cmus_free(out);
    return words;
}

char *cmus_weight_words(const cmus_picture_image *image) {
    return cmus_format_string("weight %.3f, distance %.4g", image->weight, image->distance);
}

bool cmus_predicted_wrong(const cmus_case_picture *picture) {
    return picture->class_name && *picture->class_name && picture->predicted >= 0 &&
           strcmp(picture->class_name, cmus_class_words(picture, picture->predicted)) != 0;
}

char *cmus_note(const cmus_case_picture *picture, int number) {
    int tokens = picture->side * picture->side;
    switch (number) {
    case 0:
        return cmus_format_string(
            "Grad-CAM: where the evidence of the %s head for %s lies, on the %d × %d tokens of each "
            "encoder's last stage. OM and IM are each scaled by their largest value, the TEM "
            "images by one for all, so that they can be compared.",
            picture->explained_head, cmus_class_words(picture, picture->explained), picture->side, picture->side);
    case 1:
        return cmus_format_string(
            "Attention: how much the TEM images look at each place of OM and IM, scaled by its "
            "largest value. A look that prefers no place gives 1/%d = %.3g everywhere (\"uniform\").",
            tokens, tokens ? 1.0 / tokens : 0.0);
    case 2:
        return cmus_copy_string("Weight: that of a TEM image in its bag, 1 at the bag's centre. Distance: from that "
                                "centre. Images that lie too far away are left out.");
    default:
        return cmus_copy_string("Heat maps show where the network's evidence lies, not where disease is. Research "
                                "software: not for diagnostic use without a pathologist.");
    }
}
