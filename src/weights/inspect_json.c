/* An inspection for scripts. */
#include <jansson.h>
#include <stdlib.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "inspect.h"

/* Texts come from files, and paths from anywhere. */
static json_t *text_json(const char *text) {
    json_t *string = json_string(text);
    if (string)
        return string;
    char *valid = cmus_utf8_valid(text);
    string = json_string(valid);
    cmus_free(valid);
    return string;
}

static json_t *metadata_json(const cmus_state_dict *dict) {
    json_t *object = json_object();
    for (size_t i = 0; i < cmus_state_dict_metadata_count(dict); i++) {
        const char *key, *value;
        cmus_state_dict_metadata_pair(dict, i, &key, &value);
        json_object_set_new(object, key, text_json(value));
    }
    return object;
}

static json_t *tensor_json(const cmus_inspection *inspection, const cmus_tensor_view *view) {
    json_t *shape = json_array(), *to = json_array();
    for (int i = 0; i < view->tensor->dimensions; i++)
        json_array_append_new(shape, json_integer(view->tensor->shape[i]));
    for (size_t i = 0; i < view->to_count; i++)
        json_array_append_new(to, json_string(inspection->parameters->tensors[view->to[i]].name));
    json_t *object =
        json_pack("{s:o, s:s, s:o}", "name", text_json(view->tensor->name), "type", view->tensor->type, "shape", shape);
    if (view->numbers) {
        json_object_set_new(object, "norm", json_real(view->norm));
        json_object_set_new(object, "smallest", json_real(view->low));
        json_object_set_new(object, "largest", json_real(view->high));
        json_object_set_new(object, "not_finite", json_integer((json_int_t)view->not_finite));
    }
    json_object_set_new(object, "to", to);
    json_object_set_new(object, "resized", json_boolean(view->resized));
    json_object_set_new(object, "left_over", view->leftover ? json_string(view->leftover->why) : json_null());
    return object;
}

static json_t *network_json(const cmus_inspection *inspection) {
    const cmus_weight_plan *plan = &inspection->plan;
    if (inspection->misfit)
        return json_pack("{s:o, s:b, s:o}", "of", text_json(inspection->network), "fits", 0, "why",
                         text_json(inspection->misfit));
    json_t *missing = json_array();
    for (size_t i = 0; i < inspection->parameters->count; i++)
        if (plan->steps[i].action == CMUS_WEIGHT_KEPT)
            json_array_append_new(missing, json_string(inspection->parameters->tensors[i].name));
    return json_pack("{s:o, s:b, s:s, s:I, s:I, s:o}", "of", text_json(inspection->network), "fits", 1, "names",
                     cmus_weight_names_text(plan->names), "loaded", (json_int_t)plan->loaded, "resized",
                     (json_int_t)plan->resized, "missing", missing);
}

void cmus_inspection_print_json(const cmus_inspection *inspection, FILE *stream) {
    json_t *tensors = json_array();
    for (size_t i = 0; i < inspection->count; i++)
        json_array_append_new(tensors, tensor_json(inspection, &inspection->views[i]));
    json_t *root =
        json_pack("{s:o, s:s, s:o, s:o, s:I, s:I, s:o}", "file", text_json(cmus_state_dict_path(inspection->dict)),
                  "kind", cmus_state_dict_kind(inspection->dict), "metadata", metadata_json(inspection->dict),
                  "tensors", tensors, "numbers", (json_int_t)inspection->elements, "bytes",
                  (json_int_t)inspection->bytes, "network", network_json(inspection));
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (!text)
        cmus_fatal("what is in a file of weights can't be told as JSON");
    fprintf(stream, "%s\n", text);
    free(text);
    json_decref(root);
}
