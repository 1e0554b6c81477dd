#include "inspect.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "cmus/weight_tools.h"
#include "number_types.h"

size_t cmus_group_length(const char *name) {
    return strcspn(name, ".");
}

static void measure(const float *values, cmus_tensor_view *view) {
    double squares = 0;
    bool first = true;
    for (size_t i = 0; i < view->tensor->elements; i++) {
        double value = (double)values[i];
        if (!isfinite(value)) {
            view->not_finite++;
            continue;
        }
        squares += value * value;
        view->low = first || value < view->low ? value : view->low;
        view->high = first || value > view->high ? value : view->high;
        first = false;
    }
    view->norm = sqrt(squares);
}

static cmus_status look_at(cmus_state_dict *dict, cmus_tensor_view *view) {
    view->numbers = cmus_number_bytes(view->tensor->type) > 0;
    if (!view->numbers)
        return CMUS_OK;
    float *values = cmus_allocate_raw(view->tensor->elements, sizeof *values);
    cmus_status status = cmus_state_dict_read(dict, view->tensor, values);
    if (status == CMUS_OK)
        measure(values, view);
    cmus_free(values);
    return status;
}

static cmus_status look_at_all(cmus_inspection *inspection) {
    inspection->count = cmus_state_dict_count(inspection->dict);
    inspection->views = cmus_allocate(inspection->count, sizeof *inspection->views);
    for (size_t i = 0; i < inspection->count; i++) {
        cmus_tensor_view *view = &inspection->views[i];
        view->tensor = cmus_state_dict_tensor(inspection->dict, i);
        inspection->elements += view->tensor->elements;
        inspection->bytes += view->tensor->bytes;
        CMUS_TRY(look_at(inspection->dict, view));
    }
    return CMUS_OK;
}

/* Files have many tensors: by the place of the tensor, as they lie one behind another. */
static cmus_tensor_view *view_of(const cmus_inspection *inspection, const cmus_stored_tensor *tensor) {
    return &inspection->views[tensor - inspection->views[0].tensor];
}

/* The plan by the tensors of the file. */
static void take_plan(cmus_inspection *inspection) {
    const cmus_weight_plan *plan = &inspection->plan;
    for (size_t i = 0; i < inspection->parameters->count; i++) {
        if (!plan->steps[i].from)
            continue;
        cmus_tensor_view *view = view_of(inspection, plan->steps[i].from);
        view->to = cmus_grow(view->to, &view->to_capacity, view->to_count + 1, sizeof *view->to);
        view->to[view->to_count++] = i;
        view->resized = plan->steps[i].action == CMUS_WEIGHT_RESIZED;
    }
    for (size_t i = 0; i < plan->leftover_count; i++)
        view_of(inspection, plan->leftovers[i].tensor)->leftover = &plan->leftovers[i];
}

static cmus_status make_plan(cmus_inspection *inspection) {
    cmus_status status = cmus_weight_plan_make(inspection->dict, inspection->parameters, &inspection->plan);
    if (status == CMUS_OK)
        take_plan(inspection);
    else if (status == CMUS_ERROR_MISMATCH)
        inspection->misfit = cmus_copy_string(cmus_last_error());
    return status == CMUS_ERROR_MISMATCH ? CMUS_OK : status;
}

cmus_status cmus_weights_inspect(cmus_state_dict *dict, const cmus_parameters *parameters, const char *network,
                                 bool json, FILE *stream) {
    cmus_inspection inspection = {.dict = dict, .parameters = parameters, .network = network};
    cmus_status status = look_at_all(&inspection);
    if (status == CMUS_OK)
        status = make_plan(&inspection);
    if (status == CMUS_OK) {
        (json ? cmus_inspection_print_json : cmus_inspection_print)(&inspection, stream);
        if (fflush(stream) != 0 || ferror(stream))
            status =
                cmus_fail(CMUS_ERROR_IO, "can't print what is in %s: %s", cmus_state_dict_path(dict), strerror(errno));
    }
    for (size_t i = 0; i < inspection.count; i++)
        cmus_free(inspection.views[i].to);
    cmus_free(inspection.views);
    cmus_free(inspection.misfit);
    cmus_weight_plan_free(&inspection.plan);
    return status;
}
