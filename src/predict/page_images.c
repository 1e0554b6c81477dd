/* A photograph is in the page once; what shows it again refers to it (SVG's <use>). The heat lies on it as a picture of
 * its own, so that the style alone can hide it.
 */
#include "page_images.h"

#include <math.h>
#include <string.h>

#include "case_words.h"
#include "cmus/base64.h"
#include "cmus/memory.h"
#include "colour_map.h"
#include "page_parts.h"
#include "picture_canvas.h"
#include "thumbnail.h"

enum { QUALITY = 88 /* of the JPEG pictures */ };

static void begin_drawing(cmus_file_writer *writer, const cmus_case_picture *picture, const char *label) {
    cmus_file_writer_print(writer, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", picture->size,
                           picture->size);
    cmus_file_writer_html(writer, label);
    cmus_file_writer_print(writer, "\">");
}

static void write_data(cmus_file_writer *writer, const cmus_case_picture *picture, const char *attribute,
                       const char *type, const char *base64) {
    cmus_file_writer_print(writer, "<image %s width=\"%d\" height=\"%d\" href=\"data:image/%s;base64,", attribute,
                           picture->size, picture->size, type);
    cmus_file_writer_add(writer, base64, strlen(base64));
    cmus_file_writer_print(writer, "\"/>");
}

/* The image, with the id by which it is shown again. */
static void write_photograph(cmus_file_writer *writer, const cmus_case_picture *picture, const uint8_t *rgb,
                             const char *id, const char *label) {
    char *attribute = cmus_format_string("id=\"%s\"", id);
    char *jpeg = cmus_thumbnail(rgb, picture->size, picture->size, QUALITY);
    begin_drawing(writer, picture, label);
    write_data(writer, picture, attribute, "jpeg", jpeg);
    cmus_file_writer_print(writer, "</svg>");
    cmus_free(attribute);
    cmus_free(jpeg);
}

static void write_none(cmus_file_writer *writer, const char *text) {
    cmus_page_text(writer, "<div class=\"none\">", text, "</div>");
}

/* The map over the image of that id, or why there is none. IO. */
static cmus_status write_map(cmus_file_writer *writer, const cmus_case_picture *picture, const char *id,
                             const float *map, float largest, const char *none, const char *label) {
    if (!map || cmus_map_largest(map, picture->side) <= 0) {
        write_none(writer, map ? none : "no map");
        return CMUS_OK;
    }
    size_t bytes;
    uint8_t *png;
    uint32_t *layer = cmus_allocate_raw((size_t)picture->size * (size_t)picture->size, sizeof *layer);
    cmus_heat_layer(picture->size, map, picture->side, largest, layer);
    cmus_status status = cmus_layer_png(layer, picture->size, &png, &bytes);
    cmus_free(layer);
    if (status != CMUS_OK)
        return status;
    char *base64 = cmus_base64(png, bytes);
    cmus_free(png);
    begin_drawing(writer, picture, label);
    cmus_file_writer_print(writer, "<use href=\"#%s\"/>", id);
    write_data(writer, picture, "class=\"heat\"", "png", base64);
    cmus_file_writer_print(writer, "</svg>");
    cmus_free(base64);
    return CMUS_OK;
}

/* Grad-CAM over OM or IM, with its scale. IO. */
static cmus_status write_heat(cmus_file_writer *writer, const cmus_case_picture *picture,
                              const cmus_picture_image *image, const char *kind) {
    const char *class_name = cmus_class_words(picture, picture->explained);
    char *label = cmus_format_string("%s image with the heat map of Grad-CAM for %s", kind, class_name);
    float largest = image->heat ? cmus_map_largest(image->heat, picture->side) : 0;
    cmus_page_text(writer, "<figure><figcaption>Grad-CAM for ", class_name, "</figcaption>");
    cmus_status status = write_map(writer, picture, kind, image->heat, largest, "no positive evidence", label);
    if (largest > 0)
        cmus_file_writer_print(writer, "<div class=\"scale\"></div><div class=\"ends\"><span>no evidence</span>"
                                       "<span>most</span></div>");
    cmus_file_writer_print(writer, "</figure>\n");
    cmus_free(label);
    return status;
}

/* Where TEM looks in OM or IM, with its scale. IO. */
static cmus_status write_attention(cmus_file_writer *writer, const cmus_case_picture *picture,
                                   const cmus_picture_image *image, const char *kind) {
    int tokens = picture->side * picture->side;
    char *label = cmus_format_string("%s image with a map of the places that the TEM images look at", kind);
    float largest = image->attention ? cmus_map_largest(image->attention, picture->side) : 0;
    cmus_file_writer_print(writer, "<figure><figcaption>Where TEM looks</figcaption>");
    cmus_status status = write_map(writer, picture, kind, image->attention, largest, "no attention", label);
    if (largest > 0) {
        cmus_attention_scale scale = cmus_attention_scale_of(image->attention, picture->side);
        cmus_file_writer_print(writer, "<div class=\"scale\"><span class=\"tick\" style=\"left: %.1f%%\"></span>",
                               100 * scale.uniform);
        cmus_file_writer_print(
            writer, "</div><div class=\"ends\"><span>0</span><span>uniform 1/%d</span><span>%.3g</span></div>", tokens,
            (double)largest);
    }
    cmus_file_writer_print(writer, "</figure>\n");
    cmus_free(label);
    return status;
}

/* OM or IM. IO. */
static cmus_status write_single(cmus_file_writer *writer, const cmus_case_picture *picture,
                                const cmus_picture_image *image, const char *kind, const char *long_kind) {
    cmus_file_writer_print(writer, "<h2>%s <small>%s", kind, long_kind);
    if (image->rgb && image->name)
        cmus_page_text(writer, ", ", image->name, "");
    cmus_file_writer_print(writer, "</small></h2>\n<div class=\"single\">\n<figure><figcaption>Image</figcaption>");
    char *label = cmus_format_string("%s image%s", kind, image->rgb ? "" : " is missing");
    cmus_status status = CMUS_OK;
    if (image->rgb) {
        write_photograph(writer, picture, image->rgb, kind, label);
        cmus_file_writer_print(writer, "</figure>\n");
        status = write_heat(writer, picture, image, kind);
        if (status == CMUS_OK)
            status = write_attention(writer, picture, image, kind);
    } else {
        write_none(writer, label);
        cmus_file_writer_print(writer, "</figure>\n");
    }
    cmus_file_writer_print(writer, "</div>\n");
    cmus_free(label);
    return status;
}

/* rank: its place in the order, from 1. IO. */
static cmus_status write_tem_image(cmus_file_writer *writer, const cmus_case_picture *picture,
                                   const cmus_picture_image *image, int rank, float largest) {
    cmus_status status = CMUS_OK;
    char *id = cmus_format_string("TEM-%d", rank), *label = cmus_format_string("TEM image %d of the list", rank);
    char *heat = cmus_format_string("%s with the heat map of Grad-CAM", label);
    cmus_file_writer_print(writer, "<li%s>", image->kept ? "" : " class=\"out\"");
    cmus_page_text(writer, "<h3>", image->name ? image->name : "", "</h3><div class=\"pair\">");
    if (image->rgb)
        write_photograph(writer, picture, image->rgb, id, label);
    else
        write_none(writer, "TEM image is missing");
    if (image->rgb && image->kept)
        status = write_map(writer, picture, id, image->heat, largest, "no positive evidence", heat);
    else
        write_none(writer, image->kept ? "no map" : "left out");
    cmus_file_writer_print(writer, "</div>");
    cmus_page_level(writer, image->weight);
    cmus_page_words(writer, "<p>", cmus_weight_words(image), "</p></li>\n");
    cmus_free(id);
    cmus_free(label);
    cmus_free(heat);
    return status;
}

static cmus_status write_tem(cmus_file_writer *writer, const cmus_case_picture *picture) {
    float largest = cmus_tem_largest(picture);
    cmus_page_words(writer, "<h2>TEM <small>electron microscopy, ", cmus_bag_words(picture), "</small></h2>\n");
    if (!picture->tem_count) {
        cmus_file_writer_print(writer, "<div class=\"single\">");
        write_none(writer, "TEM images are missing");
        cmus_file_writer_print(writer, "</div>\n");
        return CMUS_OK;
    }
    if (largest > 0)
        cmus_file_writer_print(writer, "<div class=\"common\"><div class=\"scale\"></div><div class=\"ends\"><span>no "
                                       "evidence</span><span>most of all TEM images</span></div></div>\n");
    cmus_file_writer_print(writer, "<ol class=\"bag\">\n");
    int *order = cmus_tem_order(picture);
    cmus_status status = CMUS_OK;
    for (int i = 0; i < picture->tem_count && status == CMUS_OK; i++)
        status = write_tem_image(writer, picture, &picture->tem[order[i]], i + 1, largest);
    cmus_free(order);
    cmus_file_writer_print(writer, "</ol>\n");
    return status;
}

cmus_status cmus_page_images(cmus_file_writer *writer, const cmus_case_picture *picture) {
    CMUS_TRY(write_single(writer, picture, &picture->om, "OM", "optical microscopy"));
    CMUS_TRY(write_single(writer, picture, &picture->im, "IM", "immunofluorescence"));
    return write_tem(writer, picture);
}
