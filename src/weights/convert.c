/* Files of weights made of others. */
#include <math.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/weight_plan.h"
#include "cmus/weight_tools.h"
#include "cmus/weights.h"
#include "number_types.h"
#include "weight_writer.h"

/* The largest rounding error of all values. */
typedef struct rounding {
    double error;
    float value;
    const char *tensor;
} rounding;

/* Numbers that are converted at once. */
enum { PART = 4096 };

/* The place of an element, as in Python: "[3, 0]". */
static void place_text(const cmus_tensor *tensor, size_t element, char *text, size_t size) {
    size_t rest = tensor->size, used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < tensor->dimensions; i++) {
        rest /= (size_t)tensor->shape[i];
        used += (size_t)snprintf(text + used, size - used, i ? ", %zu" : "%zu", element / rest);
        element %= rest;
    }
    snprintf(text + used, size - used, "]");
}

static cmus_status beyond_range(const char *path, const cmus_tensor *tensor, size_t element, float value,
                                const char *type) {
    char place[120];
    place_text(tensor, element, place, sizeof place);
    bool half = strcmp(type, "F16") == 0;
    return cmus_fail(CMUS_ERROR_MISMATCH, "%s: tensor '%s': %g at %s is beyond the range of %s (%s); export as %s",
                     path, tensor->name, (double)value, place, half ? "float16" : "bfloat16",
                     half ? "65504" : "3.39e38", half ? "--dtype bf16 or f32" : "--dtype f32");
}

/* Rounds a tensor as it will be written. */
static cmus_status try_rounding(const char *path, const cmus_tensor *tensor, const float *values, const char *type,
                                rounding *largest) {
    uint16_t stored[PART];
    float back[PART];
    for (size_t begin = 0; begin < tensor->size; begin += PART) {
        size_t count = tensor->size - begin < PART ? tensor->size - begin : PART;
        cmus_numbers_from_floats(type, values + begin, count, stored);
        cmus_numbers_to_floats(type, stored, count, back);
        for (size_t i = 0; i < count; i++) {
            float value = values[begin + i];
            if (!isfinite(back[i]))
                return beyond_range(path, tensor, begin + i, value, type);
            double error = fabs((double)back[i] - (double)value);
            if (error > largest->error)
                *largest = (rounding){error, value, tensor->name};
        }
    }
    return CMUS_OK;
}

static cmus_status check_rounding(const cmus_state_dict *dict, const cmus_parameters *parameters, const float *weights,
                                  const char *type) {
    if (strcmp(type, "F32") == 0)
        return CMUS_OK;
    rounding largest = {0};
    for (size_t i = 0; i < parameters->count; i++) {
        const cmus_tensor *tensor = &parameters->tensors[i];
        CMUS_TRY(try_rounding(cmus_state_dict_path(dict), tensor, weights + tensor->offset, type, &largest));
    }
    if (largest.tensor)
        cmus_info("rounded to %s: largest error %.3g, of %.6g in '%s'", type, largest.error, (double)largest.value,
                  largest.tensor);
    return CMUS_OK;
}

/* What was loaded, with the metadata if that is the whole network. */
static cmus_status write_loaded(const cmus_weight_plan *plan, const cmus_state_dict *dict,
                                const cmus_parameters *parameters, const float *weights,
                                const cmus_weight_output *output) {
    static const char *const kept[] = {CMUS_METADATA_VERSION, CMUS_METADATA_IMAGES};
    cmus_text_pair pairs[1 + sizeof kept / sizeof kept[0]];
    size_t count = 0;
    if (plan->kept == 0 && output->config)
        pairs[count++] = (cmus_text_pair){CMUS_METADATA_CONFIG, output->config};
    for (size_t i = 0; plan->kept == 0 && i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = cmus_state_dict_metadata(dict, kept[i]);
        if (value)
            pairs[count++] = (cmus_text_pair){kept[i], value};
    }
    bool *included = cmus_allocate(parameters->count, sizeof *included);
    for (size_t i = 0; i < parameters->count; i++)
        included[i] = plan->steps[i].action != CMUS_WEIGHT_KEPT;
    cmus_weight_form form = {.type = output->type, .included = included};
    cmus_status status = cmus_weights_write_form(output->path, parameters, weights, form, pairs, count);
    cmus_free(included);
    return status;
}

static cmus_status check_whole(const cmus_weight_plan *plan, const cmus_state_dict *dict,
                               const cmus_parameters *parameters) {
    for (size_t i = 0; i < parameters->count; i++)
        if (plan->steps[i].action == CMUS_WEIGHT_KEPT)
            return cmus_fail(CMUS_ERROR_MISMATCH, "%s: has no '%s'%s; a whole network is exported, parts are imported",
                             cmus_state_dict_path(dict), parameters->tensors[i].name,
                             cmus_weight_is_last_layer(parameters->tensors[i].name) && plan->other_classes
                                 ? " of these classes"
                                 : "");
    return CMUS_OK;
}

static void warn_of_leftovers(const cmus_weight_plan *plan) {
    for (size_t i = 0; i < plan->leftover_count; i++)
        if (!plan->leftovers[i].expected)
            cmus_warn("'%.200s' is left out: %s", plan->leftovers[i].tensor->name, plan->leftovers[i].why);
}

static cmus_status convert(const cmus_weight_plan *plan, cmus_state_dict *dict, const cmus_parameters *parameters,
                           float *weights, const cmus_weight_output *output) {
    CMUS_TRY(cmus_weight_plan_apply(plan, dict, parameters, weights));
    CMUS_TRY(check_rounding(dict, parameters, weights, output->type));
    CMUS_TRY(write_loaded(plan, dict, parameters, weights, output));
    char *text = cmus_weight_plan_text(plan, parameters);
    cmus_info("%s (%s) -> %s (%s)", cmus_state_dict_path(dict), text, output->path, output->type);
    cmus_free(text);
    warn_of_leftovers(plan);
    return CMUS_OK;
}

static cmus_status convert_file(cmus_state_dict *dict, const cmus_parameters *parameters,
                                const cmus_weight_output *output, bool whole) {
    cmus_weight_plan plan;
    cmus_status status = cmus_weight_plan_make(dict, parameters, &plan);
    if (status == CMUS_OK && output->other_classes)
        cmus_weight_plan_leave_heads(&plan, parameters);
    if (status == CMUS_OK && whole)
        status = check_whole(&plan, dict, parameters);
    if (status == CMUS_OK) {
        float *weights = cmus_allocate(parameters->size, sizeof *weights);
        status = convert(&plan, dict, parameters, weights, output);
        cmus_free(weights);
    }
    cmus_weight_plan_free(&plan);
    return status;
}

cmus_status cmus_weights_import(cmus_state_dict *dict, const cmus_parameters *parameters,
                                const cmus_weight_output *output) {
    return convert_file(dict, parameters, output, false);
}

cmus_status cmus_weights_export(cmus_state_dict *dict, const cmus_parameters *parameters,
                                const cmus_weight_output *output) {
    return convert_file(dict, parameters, output, true);
}
