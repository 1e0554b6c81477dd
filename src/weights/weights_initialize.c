/* Weights to begin with, from files of any kind and names. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/weight_plan.h"
#include "cmus/weights.h"
#include "weight_names.h"

static char *join(char *text, char *more) {
    char *both = cmus_format_string("%s%s%s", text ? text : "", text ? "; " : "", more);
    cmus_free(text);
    cmus_free(more);
    return both;
}

/* What has no weights, while the file has others: whoever loads weights wants them in all three encoders, and of this
 * network in all of it. */
static char *warn_of_groups(char *warning, const cmus_weight_plan *plan, const cmus_parameters *parameters) {
    for (size_t i = 0; i < parameters->count; i++) {
        const char *name = parameters->tensors[i].name;
        bool first = i == 0 || !cmus_same_group(parameters->tensors[i - 1].name, name);
        bool wanted = cmus_of_encoder(name) || plan->names == CMUS_NAMES_NETWORK; /* others have encoders only */
        bool said = plan->other_classes && cmus_weight_is_last_layer(name);
        if (first && wanted && !said && !cmus_weight_plan_has_group(plan, parameters, i))
            warning = join(warning, cmus_format_string("%.*s begins at random", (int)strcspn(name, "."), name));
    }
    return warning;
}

static char *warn_of_leftovers(char *warning, const cmus_weight_plan *plan) {
    size_t count = 0;
    const cmus_weight_leftover *first = NULL;
    for (size_t i = 0; i < plan->leftover_count; i++)
        if (!plan->leftovers[i].expected && count++ == 0)
            first = &plan->leftovers[i];
    if (!first)
        return warning;
    return join(warning, cmus_format_string("%zu tensor%s left out that %s not part of the network: '%.200s'%s", count,
                                            count == 1 ? " was" : "s were", count == 1 ? "is" : "are",
                                            first->tensor->name, count == 1 ? "" : " and others"));
}

static char *warn(const cmus_weight_plan *plan, const cmus_parameters *parameters) {
    char *warning = NULL;
    if (plan->other_classes)
        warning =
            cmus_format_string("%zu tensors of the heads are of other classes and were left out: these heads begin at "
                               "random",
                               plan->other_classes);
    warning = warn_of_groups(warning, plan, parameters);
    return warn_of_leftovers(warning, plan);
}

cmus_status cmus_weights_initialize(const char *path, bool other_classes, const cmus_parameters *parameters,
                                    float *weights, char **loaded, char **warning) {
    if (loaded)
        *loaded = NULL;
    if (warning)
        *warning = NULL;
    cmus_state_dict *dict;
    CMUS_TRY(cmus_state_dict_open(path, &dict));
    cmus_weight_plan plan;
    cmus_status status = cmus_weight_plan_make(dict, parameters, &plan);
    if (status == CMUS_OK && other_classes)
        cmus_weight_plan_leave_heads(&plan, parameters);
    if (status == CMUS_OK && weights)
        status = cmus_weight_plan_apply(&plan, dict, parameters, weights);
    if (status == CMUS_OK && loaded)
        *loaded = cmus_weight_plan_text(&plan, parameters);
    if (status == CMUS_OK && warning)
        *warning = warn(&plan, parameters);
    cmus_weight_plan_free(&plan);
    cmus_state_dict_close(dict);
    return status;
}
