/* An inspection for people. */
#include <string.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "inspect.h"

enum { SHAPE_TEXT = 22 * CMUS_STORED_DIMENSIONS + 3, WIDEST_SHAPE = 40 };

static void shape_text(const cmus_stored_tensor *tensor, char text[SHAPE_TEXT]) {
    size_t used = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < tensor->dimensions; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, i ? ", %lld" : "%lld", (long long)tensor->shape[i]);
    snprintf(text + used, SHAPE_TEXT - used, "]");
}

/* Values come from anywhere: line by line, and without what could steer a terminal. */
static void print_value(const char *value, FILE *stream) {
    bool several = strchr(value, '\n') != NULL;
    do {
        size_t length = strcspn(value, "\n");
        char *line = cmus_format_string("%.*s", (int)(length < 100000 ? length : 100000), value);
        char *valid = cmus_utf8_valid(line);
        if (*valid || !several)
            fprintf(stream, several ? "\n    %s" : " %s", valid);
        cmus_free(valid);
        cmus_free(line);
        value += length;
    } while (*value++);
    fprintf(stream, "\n");
}

static void print_metadata(const cmus_state_dict *dict, FILE *stream) {
    size_t count = cmus_state_dict_metadata_count(dict);
    if (count)
        fprintf(stream, "\nMetadata\n");
    for (size_t i = 0; i < count; i++) {
        const char *key, *value;
        cmus_state_dict_metadata_pair(dict, i, &key, &value);
        char *valid = cmus_utf8_valid(key);
        fprintf(stream, "  %s:", valid);
        cmus_free(valid);
        print_value(value, stream);
    }
}

/* Where a tensor goes: " -> TEM_encoder.0.0.0.weight, OM_encoder, IM_encoder", nothing if it keeps its name; or why it
 * does not. */
static void print_target(const cmus_inspection *inspection, const cmus_tensor_view *view, FILE *stream) {
    const cmus_tensor *tensors = inspection->parameters->tensors;
    if (view->leftover)
        fprintf(stream, "  (%s)", view->leftover->why);
    if (view->to_count == 0)
        return;
    const char *name = tensors[view->to[0]].name;
    if (view->to_count > 1 || strcmp(name, view->tensor->name) != 0)
        fprintf(stream, " -> %s", name);
    for (size_t i = 1; i < view->to_count; i++) {
        const char *further = tensors[view->to[i]].name;
        fprintf(stream, ", %.*s", (int)cmus_group_length(further), further);
    }
    if (view->resized)
        fprintf(stream, "  (resized)");
}

static void print_tensors(const cmus_inspection *inspection, FILE *stream) {
    int widest = 5;
    char shape[SHAPE_TEXT];
    for (size_t i = 0; i < inspection->count; i++) {
        shape_text(inspection->views[i].tensor, shape);
        int width = (int)strlen(shape);
        widest = width > widest && width <= WIDEST_SHAPE ? width : widest;
    }
    fprintf(stream, "\n%-5s %-*s %11s %11s %11s %s\n", "type", widest, "shape", "L2 norm", "smallest", "largest",
            "tensor");
    for (size_t i = 0; i < inspection->count; i++) {
        const cmus_tensor_view *view = &inspection->views[i];
        shape_text(view->tensor, shape);
        fprintf(stream, "%-5s %-*s ", view->tensor->type, widest, shape);
        if (view->numbers)
            fprintf(stream, "%11.5g %11.5g %11.5g ", view->norm, view->low, view->high);
        else
            fprintf(stream, "%11s %11s %11s ", "-", "-", "-");
        fprintf(stream, "%s", view->tensor->name);
        print_target(inspection, view, stream);
        if (view->not_finite)
            fprintf(stream, "  NOT FINITE: %zu values", view->not_finite);
        fprintf(stream, "\n");
    }
}

/* The tensors of the network that stay as they are, counted by group: "CrossAttn (5 tensors)". */
static void print_missing(const cmus_inspection *inspection, FILE *stream) {
    const cmus_parameters *parameters = inspection->parameters;
    const char *separator = "  not loaded: ";
    for (size_t i = 0, end; i < parameters->count; i = end) {
        const char *name = parameters->tensors[i].name;
        size_t length = cmus_group_length(name) + 1, missing = 0;
        for (end = i; end < parameters->count && strncmp(parameters->tensors[end].name, name, length) == 0; end++)
            missing += inspection->plan.steps[end].action == CMUS_WEIGHT_KEPT;
        if (missing == 0)
            continue;
        fprintf(stream, "%s%.*s (%zu tensors)", separator, (int)length - 1, name, missing);
        separator = ", ";
    }
    if (inspection->plan.kept)
        fprintf(stream, "\n");
}

/* Why tensors are left over, and how many. */
typedef struct reason {
    const cmus_weight_leftover *first;
    size_t count;
} reason;

/* What is left over, each reason once: there are few, whatever is in the file. */
static void print_leftovers(const cmus_weight_plan *plan, FILE *stream) {
    reason *reasons = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < plan->leftover_count; i++) {
        const cmus_weight_leftover *leftover = &plan->leftovers[i];
        size_t place = 0;
        while (place < count && strcmp(reasons[place].first->why, leftover->why) != 0)
            place++;
        if (place == count) {
            reasons = cmus_grow(reasons, &capacity, count + 1, sizeof *reasons);
            reasons[count++] = (reason){.first = leftover};
        }
        reasons[place].count++;
    }
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "  left over: %s (%zu tensors)%s\n", reasons[i].first->why, reasons[i].count,
                reasons[i].first->expected ? "" : ", which is unexpected");
    cmus_free(reasons);
}

static void print_network(const cmus_inspection *inspection, FILE *stream) {
    const cmus_weight_plan *plan = &inspection->plan;
    fprintf(stream, "\nInto the network of %s (%zu tensors, %zu numbers)\n", inspection->network,
            inspection->parameters->count, inspection->parameters->size);
    if (inspection->misfit) {
        fprintf(stream, "  does not fit: %s\n", inspection->misfit);
        return;
    }
    fprintf(stream, "  %s: %zu tensors loaded, %zu resized%s\n", cmus_weight_names_text(plan->names), plan->loaded,
            plan->resized, plan->kept ? "" : ": the whole network");
    print_missing(inspection, stream);
    print_leftovers(plan, stream);
}

void cmus_inspection_print(const cmus_inspection *inspection, FILE *stream) {
    size_t bad = 0;
    for (size_t i = 0; i < inspection->count; i++)
        bad += inspection->views[i].not_finite;
    fprintf(stream, "%s\n%s: %zu tensors, %zu numbers, %zu bytes", cmus_state_dict_path(inspection->dict),
            cmus_state_dict_kind(inspection->dict), inspection->count, inspection->elements, inspection->bytes);
    if (bad)
        fprintf(stream, "; %zu values are NOT FINITE", bad);
    fprintf(stream, "\n");
    print_metadata(inspection->dict, stream);
    print_tensors(inspection, stream);
    print_network(inspection, stream);
}
