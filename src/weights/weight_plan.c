#include "cmus/weight_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bias_table.h"
#include "cmus/memory.h"
#include "encoder_sizes.h"
#include "number_types.h"
#include "tensor_shape.h"
#include "weight_names.h"

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* Making ------------------------------------------------------------------------------------------------------------
 */

/* The two that are brought together. */
typedef struct maker {
    const cmus_state_dict *dict;
    const cmus_parameters *parameters;
    cmus_weight_plan *plan;
} maker;

static void leave(cmus_weight_plan *plan, const cmus_stored_tensor *tensor, const char *why, bool expected) {
    plan->leftovers =
        cmus_grow(plan->leftovers, &plan->leftover_capacity, plan->leftover_count + 1, sizeof *plan->leftovers);
    plan->leftovers[plan->leftover_count++] = (cmus_weight_leftover){tensor, why, expected};
}

/* What to set in the configuration, if the encoder of this tensor is another in the file. */
static char *hint_of(const maker *m, const cmus_tensor *tensor) {
    if (!cmus_of_encoder(tensor->name))
        return cmus_copy_string("");
    cmus_encoder_sizes network = cmus_encoder_sizes_of_network(m->parameters, tensor->name),
                       file = cmus_encoder_sizes_of_file(m->dict, m->plan->names, m->plan->prefix, tensor->name);
    return cmus_encoder_hint(&file, &network);
}

static cmus_status fail_missing(const maker *m, const cmus_tensor *tensor) {
    char name[CMUS_NAME_IN_FILE], *hint = hint_of(m, tensor);
    cmus_weight_name_in_file(m->plan->names, m->plan->prefix, tensor->name, name);
    cmus_status status =
        cmus_fail(CMUS_ERROR_MISMATCH,
                  "%s: tensor '%s' of the configured network is missing, while others of '%.*s' "
                  "are there%s",
                  cmus_state_dict_path(m->dict), name, (int)strcspn(tensor->name, "."), tensor->name, hint);
    cmus_free(hint);
    return status;
}

static cmus_status fail_shape(const maker *m, const cmus_stored_tensor *stored, const cmus_tensor *tensor) {
    char *hint = hint_of(m, tensor);
    bool patches = tensor->dimensions == 4 && stored->dimensions == 4 && !hint[0];
    cmus_status status =
        cmus_fail_shape(cmus_state_dict_path(m->dict), stored, tensor,
                        patches ? "; patches of another size or of other channels than RGB can't be used" : hint);
    cmus_free(hint);
    return status;
}

bool cmus_weight_is_last_layer(const char *name) {
    static const char *const layers[] = {"TEM_fc.linear.", "OM_fc.linear.", "IM_fc.linear.", "MLP.linear2."};
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        if (strncmp(name, layers[i], strlen(layers[i])) == 0)
            return true;
    return false;
}

/* A last layer whose stored twin differs in the number of classes alone. */
static bool other_classes(const cmus_stored_tensor *stored, const cmus_tensor *tensor) {
    return cmus_weight_is_last_layer(tensor->name) && cmus_other_size(stored, tensor, 0);
}

/* A bias table of another window, which can be resized. */
static bool other_window(const cmus_stored_tensor *stored, const cmus_tensor *tensor) {
    return ends_with(tensor->name, "attn.relative_position_bias_table") && cmus_other_size(stored, tensor, 0) &&
           cmus_bias_side(stored->shape[0]) > 0 && cmus_bias_side(tensor->shape[0]) > 0;
}

/* What becomes of a tensor whose group is in the file. */
static cmus_status decide(const maker *m, size_t index) {
    const cmus_tensor *tensor = &m->parameters->tensors[index];
    cmus_weight_step *step = &m->plan->steps[index];
    if (!step->from && cmus_weight_is_last_layer(tensor->name)) { /* a file that was imported for other classes */
        m->plan->other_classes++;
        return CMUS_OK;
    }
    if (!step->from)
        return fail_missing(m, tensor);
    if (cmus_number_bytes(step->from->type) == 0)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: tensor '%.200s' is of type %s, which holds no floating-point numbers",
                         cmus_state_dict_path(m->dict), step->from->name, step->from->type);
    if (cmus_same_shape(step->from, tensor)) {
        step->action = CMUS_WEIGHT_LOADED;
    } else if (other_window(step->from, tensor)) {
        step->action = CMUS_WEIGHT_RESIZED;
    } else if (other_classes(step->from, tensor)) {
        leave(m->plan, step->from, "another number of classes", true);
        m->plan->other_classes++;
        step->from = NULL;
    } else {
        return fail_shape(m, step->from, tensor);
    }
    return CMUS_OK;
}

bool cmus_weight_plan_has_group(const cmus_weight_plan *plan, const cmus_parameters *parameters, size_t index) {
    for (size_t i = 0; i < parameters->count; i++)
        if (plan->steps[i].from && cmus_same_group(parameters->tensors[i].name, parameters->tensors[index].name))
            return true;
    return false;
}

/* Groups lie one after another in the table. */
static cmus_status decide_all(const maker *m) {
    const cmus_parameters *parameters = m->parameters;
    bool there = false;
    for (size_t i = 0; i < parameters->count; i++) {
        if (i == 0 || !cmus_same_group(parameters->tensors[i - 1].name, parameters->tensors[i].name))
            there = cmus_weight_plan_has_group(m->plan, parameters, i);
        if (there)
            CMUS_TRY(decide(m, i));
        m->plan->loaded += m->plan->steps[i].action == CMUS_WEIGHT_LOADED;
        m->plan->resized += m->plan->steps[i].action == CMUS_WEIGHT_RESIZED;
    }
    m->plan->kept = parameters->count - m->plan->loaded - m->plan->resized;
    return CMUS_OK;
}

static void look_up(const maker *m) {
    char name[CMUS_NAME_IN_FILE];
    for (size_t i = 0; i < m->parameters->count; i++)
        if (cmus_weight_name_in_file(m->plan->names, m->plan->prefix, m->parameters->tensors[i].name, name))
            m->plan->steps[i].from = cmus_state_dict_find(m->dict, name);
}

/* Tensors of a group that was loaded which the network does not have: deeper, or something else. `name` is without the
 * prefix. */
static const cmus_tensor *loaded_group(const maker *m, const char *name) {
    bool inside = cmus_weight_name_inside(m->plan->names, name);
    for (size_t i = 0; i < m->parameters->count; i++) {
        const cmus_tensor *tensor = &m->parameters->tensors[i];
        if (m->plan->steps[i].from &&
            (inside || (m->plan->names == CMUS_NAMES_NETWORK && cmus_same_group(tensor->name, name))))
            return tensor;
    }
    return NULL;
}

static cmus_status classify(const maker *m, const cmus_stored_tensor *stored) {
    const char *name = stored->name + strlen(m->plan->prefix), *why = cmus_weight_name_known(m->plan->names, name);
    const cmus_tensor *near = why ? NULL : loaded_group(m, name);
    if (near) {
        char *hint = hint_of(m, near);
        cmus_status status =
            cmus_fail(CMUS_ERROR_MISMATCH, "%s: tensor '%.200s' has no place in the configured network%s",
                      cmus_state_dict_path(m->dict), stored->name, hint);
        cmus_free(hint);
        return status;
    }
    leave(m->plan, stored, why ? why : "not part of the network", why != NULL);
    return CMUS_OK;
}

static int compare_places(const void *a, const void *b) {
    const cmus_stored_tensor *const *x = a, *const *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* All tensors of the file that no step took, in the order of the file. */
static cmus_status find_leftovers(const maker *m) {
    size_t count = 0, taken = m->parameters->count + m->plan->leftover_count;
    const cmus_stored_tensor **used = cmus_allocate(taken, sizeof *used);
    for (size_t i = 0; i < m->parameters->count; i++)
        if (m->plan->steps[i].from)
            used[count++] = m->plan->steps[i].from;
    for (size_t i = 0; i < m->plan->leftover_count; i++)
        used[count++] = m->plan->leftovers[i].tensor;
    qsort(used, count, sizeof *used, compare_places);
    cmus_status status = CMUS_OK;
    for (size_t i = 0; i < cmus_state_dict_count(m->dict) && status == CMUS_OK; i++) {
        const cmus_stored_tensor *stored = cmus_state_dict_tensor(m->dict, i);
        if (!bsearch(&stored, used, count, sizeof *used, compare_places))
            status = classify(m, stored);
    }
    cmus_free(used);
    return status;
}

cmus_status cmus_weight_plan_make(const cmus_state_dict *dict, const cmus_parameters *parameters,
                                  cmus_weight_plan *plan) {
    *plan = (cmus_weight_plan){.steps = cmus_allocate(parameters->count, sizeof *plan->steps)};
    maker m = {dict, parameters, plan};
    CMUS_TRY(cmus_weight_names_recognise(dict, parameters, &plan->names, plan->prefix));
    look_up(&m);
    CMUS_TRY(decide_all(&m));
    if (plan->loaded + plan->resized == 0)
        return cmus_fail(CMUS_ERROR_MISMATCH, "%s: no tensor of it fits the configured network",
                         cmus_state_dict_path(dict));
    return find_leftovers(&m);
}

void cmus_weight_plan_leave_heads(cmus_weight_plan *plan, const cmus_parameters *parameters) {
    for (size_t i = 0; i < parameters->count; i++) {
        cmus_weight_step *step = &plan->steps[i];
        if (step->action == CMUS_WEIGHT_KEPT || !cmus_weight_is_last_layer(parameters->tensors[i].name))
            continue;
        leave(plan, step->from, "other classes", true);
        *step = (cmus_weight_step){.action = CMUS_WEIGHT_KEPT};
        plan->loaded--;
        plan->kept++;
        plan->other_classes++;
    }
}

void cmus_weight_plan_free(cmus_weight_plan *plan) {
    cmus_free(plan->steps);
    cmus_free(plan->leftovers);
    *plan = (cmus_weight_plan){0};
}

/* Loading -----------------------------------------------------------------------------------------------------------
 */

static cmus_status check_finite(const cmus_state_dict *dict, const cmus_stored_tensor *stored, const float *values,
                                size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return cmus_fail(CMUS_ERROR_MISMATCH, "%s: tensor '%.200s' holds %g at place %zu: weights must be finite",
                             cmus_state_dict_path(dict), stored->name, (double)values[i], i);
    return CMUS_OK;
}

static cmus_status read_resized(cmus_state_dict *dict, const cmus_stored_tensor *stored, const cmus_tensor *tensor,
                                float *values) {
    float *table = cmus_allocate_raw(stored->elements, sizeof *table);
    cmus_status status = cmus_state_dict_read(dict, stored, table);
    if (status == CMUS_OK)
        status = check_finite(dict, stored, table, stored->elements);
    if (status == CMUS_OK)
        cmus_bias_resize(table, cmus_bias_side(stored->shape[0]), values, cmus_bias_side(tensor->shape[0]),
                         tensor->shape[1]);
    cmus_free(table);
    return status == CMUS_OK ? check_finite(dict, stored, values, tensor->size) : status; /* it may have overflowed */
}

/* The first step that reads the same tensor. Twins have the same shape, so what they make of it is the same. */
static size_t first_reader(const cmus_weight_plan *plan, size_t index) {
    size_t first = 0;
    while (plan->steps[first].from != plan->steps[index].from)
        first++;
    return first;
}

static cmus_status load(const cmus_weight_plan *plan, size_t index, cmus_state_dict *dict,
                        const cmus_parameters *parameters, float *weights) {
    const cmus_tensor *tensor = &parameters->tensors[index];
    const cmus_weight_step *step = &plan->steps[index];
    float *values = weights + tensor->offset;
    size_t first = first_reader(plan, index);
    if (first < index) {
        memcpy(values, weights + parameters->tensors[first].offset, tensor->size * sizeof *values);
        return CMUS_OK;
    }
    if (step->action == CMUS_WEIGHT_RESIZED)
        return read_resized(dict, step->from, tensor, values);
    CMUS_TRY(cmus_state_dict_read(dict, step->from, values));
    return check_finite(dict, step->from, values, tensor->size);
}

cmus_status cmus_weight_plan_apply(const cmus_weight_plan *plan, cmus_state_dict *dict,
                                   const cmus_parameters *parameters, float *weights) {
    for (size_t i = 0; i < parameters->count; i++)
        if (plan->steps[i].action != CMUS_WEIGHT_KEPT)
            CMUS_TRY(load(plan, i, dict, parameters, weights));
    return CMUS_OK;
}

/* Words -------------------------------------------------------------------------------------------------------------
 */

static char *append(char *text, const char *more) {
    char *longer = cmus_format_string("%s%s", text, more);
    cmus_free(text);
    return longer;
}

/* The groups that are loaded, or are not, with commas between. */
static char *list_groups(const cmus_weight_plan *plan, const cmus_parameters *parameters, bool there) {
    char *list = cmus_copy_string("");
    for (size_t i = 0; i < parameters->count; i++) {
        const char *name = parameters->tensors[i].name;
        if ((i > 0 && cmus_same_group(parameters->tensors[i - 1].name, name)) ||
            cmus_weight_plan_has_group(plan, parameters, i) != there)
            continue;
        char *group = cmus_format_string("%s%.*s", list[0] ? ", " : "", (int)strcspn(name, "."), name);
        list = append(list, group);
        cmus_free(group);
    }
    return list;
}

char *cmus_weight_plan_text(const cmus_weight_plan *plan, const cmus_parameters *parameters) {
    char *into = list_groups(plan, parameters, true), *not_there = list_groups(plan, parameters, false);
    char *text =
        cmus_format_string("%s: %zu tensors", cmus_weight_names_text(plan->names), plan->loaded + plan->resized);
    if (plan->kept == 0) {
        text = append(text, ", the whole network");
    } else {
        text = append(text, " into ");
        text = append(text, into);
    }
    if (plan->resized) {
        char *resized = cmus_format_string("; %zu bias tables resized from another window", plan->resized);
        text = append(text, resized);
        cmus_free(resized);
    }
    if (plan->other_classes) {
        char *heads = cmus_format_string("; last layers of heads left out: %zu tensors", plan->other_classes);
        text = append(text, heads);
        cmus_free(heads);
    }
    if (not_there[0]) {
        text = append(text, "; not loaded: ");
        text = append(text, not_there);
    }
    cmus_free(into);
    cmus_free(not_there);
    return text;
}
