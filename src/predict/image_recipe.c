#include "image_recipe.h"

#include <jansson.h>
#include <string.h>

#include "cmus/memory.h"
#include "image_recipe_text.h"

static cmus_status read_filter(const json_t *options, cmus_filter *filter) {
    const json_t *value = json_object_get(options, "resize");
    if (!value)
        return CMUS_OK;
    const char *name = json_string_value(value);
    for (int i = 0; name && i < CMUS_FILTERS; i++)
        if (strcmp(name, cmus_filter_names[i]) == 0) {
            *filter = (cmus_filter)i;
            return CMUS_OK;
        }
    return cmus_fail(CMUS_ERROR_FORMAT, "the filter \"%s\" is not known to this version", name ? name : "?");
}

/* [LO, HI]; any text means the range of each image. */
static cmus_status read_window(const json_t *options, cmus_decode_options *decode) {
    const json_t *value = json_object_get(options, "window");
    if (!value || json_is_string(value))
        return CMUS_OK;
    const json_t *low = json_array_get(value, 0), *high = json_array_get(value, 1);
    json_int_t from = json_integer_value(low), to = json_integer_value(high);
    if (json_array_size(value) != 2 || !json_is_integer(low) || !json_is_integer(high) || from < 0 || from >= to ||
        to > UINT16_MAX)
        return cmus_fail(CMUS_ERROR_FORMAT, "\"window\" should be two rising whole numbers from 0 to %d", UINT16_MAX);
    decode->window_low = (int)from;
    decode->window_high = (int)to;
    return CMUS_OK;
}

static cmus_status read_options(const json_t *options, cmus_image_recipe *recipe) {
    if (!json_is_object(options))
        return cmus_fail(CMUS_ERROR_FORMAT, "no JSON object");
    CMUS_TRY(read_filter(options, &recipe->filter));
    CMUS_TRY(read_window(options, &recipe->decode));
    json_int_t limit = json_integer_value(json_object_get(options, "pixel_limit"));
    if (limit > 0)
        recipe->decode.pixel_limit = limit;
    return CMUS_OK;
}

cmus_status cmus_image_recipe_read(const char *json, cmus_image_recipe *recipe) {
    *recipe = (cmus_image_recipe){.filter = CMUS_BILINEAR, .decode = cmus_decode_defaults()};
    if (!json)
        return CMUS_OK;
    json_t *options = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    cmus_status status = read_options(options, recipe);
    json_decref(options);
    return status == CMUS_OK ? status
                             : cmus_fail_in(status, "how the images of the training data were made is not understood");
}

static bool has_window(const cmus_image_recipe *recipe) {
    return recipe->decode.window_low < recipe->decode.window_high;
}

bool cmus_image_recipe_equal(const cmus_image_recipe *a, const cmus_image_recipe *b) {
    return a->filter == b->filter && has_window(a) == has_window(b) &&
           (!has_window(a) ||
            (a->decode.window_low == b->decode.window_low && a->decode.window_high == b->decode.window_high));
}

char *cmus_image_recipe_describe(const cmus_image_recipe *recipe) {
    const char *filter = cmus_filter_names[recipe->filter];
    return has_window(recipe) ? cmus_format_string("--filter %s --window %d,%d", filter, recipe->decode.window_low,
                                                   recipe->decode.window_high)
                              : cmus_format_string("--filter %s without --window", filter);
}

cmus_status cmus_image_recipes_compare(const char *a, const char *b) {
    cmus_image_recipe first, other;
    CMUS_TRY(cmus_image_recipe_read(a, &first));
    CMUS_TRY(cmus_image_recipe_read(b, &other));
    if (cmus_image_recipe_equal(&first, &other))
        return CMUS_OK;
    char *one = cmus_image_recipe_describe(&first), *two = cmus_image_recipe_describe(&other);
    cmus_status status = cmus_fail(CMUS_ERROR_MISMATCH, "%s; %s", one, two);
    cmus_free(one);
    cmus_free(two);
    return status;
}
