#include "encoder_sizes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmus/memory.h"
#include "weight_names.h"

/* Where tensors are looked up, by the network's names. */
typedef struct place {
    const cmus_parameters *parameters; /* or, NULL, a file */
    const cmus_state_dict *dict;
    cmus_weight_names names;
    const char *prefix;
} place;

/* Size of a tensor in one of its dimensions; -1 if it is not there. */
static int64_t size_of(const place *in, const char *network_name, int dimension) {
    if (in->parameters) {
        const cmus_tensor *tensor = cmus_parameters_find(in->parameters, network_name);
        return tensor && tensor->dimensions > dimension ? tensor->shape[dimension] : -1;
    }
    char name[CMUS_NAME_IN_FILE];
    if (!cmus_weight_name_in_file(in->names, in->prefix, network_name, name))
        return -1;
    const cmus_stored_tensor *tensor = cmus_state_dict_find(in->dict, name);
    return tensor && tensor->dimensions > dimension ? tensor->shape[dimension] : -1;
}

static cmus_encoder_sizes count_sizes(const place *in, const char *name) {
    cmus_encoder_sizes sizes = {0};
    int group = (int)strcspn(name, ".");
    char wanted[CMUS_TENSOR_NAME];
    snprintf(wanted, sizeof wanted, "%.*s.0.0.0.weight", group, name);
    int64_t channels = size_of(in, wanted, 0);
    sizes.embed_dim = channels > 0 ? channels : 0;
    for (int s = 0; s < CMUS_ENCODER_STAGES; s++)
        for (;; sizes.depths[s]++) {
            snprintf(wanted, sizeof wanted, "%.*s.0.%d.%d.attn.relative_position_bias_table", group, name, 2 * s + 1,
                     sizes.depths[s]);
            int64_t heads = size_of(in, wanted, 1);
            if (heads < 0)
                break;
            sizes.heads[s] = heads;
        }
    return sizes;
}

cmus_encoder_sizes cmus_encoder_sizes_of_network(const cmus_parameters *parameters, const char *name) {
    return count_sizes(&(place){.parameters = parameters}, name);
}

cmus_encoder_sizes cmus_encoder_sizes_of_file(const cmus_state_dict *dict, cmus_weight_names names, const char *prefix,
                                              const char *name) {
    return count_sizes(&(place){.dict = dict, .names = names, .prefix = prefix}, name);
}

static bool same_sizes(const cmus_encoder_sizes *a, const cmus_encoder_sizes *b) {
    return a->embed_dim == b->embed_dim && memcmp(a->depths, b->depths, sizeof a->depths) == 0 &&
           memcmp(a->heads, b->heads, sizeof a->heads) == 0;
}

char *cmus_encoder_hint(const cmus_encoder_sizes *file, const cmus_encoder_sizes *network) {
    static const struct {
        const char *name;
        cmus_encoder_sizes sizes;
    } published[] = {{"swin_t", {96, {3, 6, 12, 24}, {2, 2, 6, 2}}},
                     {"swin_s", {96, {3, 6, 12, 24}, {2, 2, 18, 2}}},
                     {"swin_b", {128, {4, 8, 16, 32}, {2, 2, 18, 2}}}};
    if (same_sizes(file, network) || file->embed_dim == 0)
        return cmus_copy_string("");
    const int *d = file->depths;
    const int64_t *h = file->heads;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++)
        if (same_sizes(file, &published[i].sizes))
            return cmus_format_string("; the file is a %s (depths %d %d %d %d, embed_dim %lld); set encoder: %s",
                                      published[i].name, d[0], d[1], d[2], d[3], (long long)file->embed_dim,
                                      published[i].name);
    return cmus_format_string("; the file has embed_dim: %lld, depths: [%d, %d, %d, %d], heads: [%lld, %lld, %lld, "
                              "%lld]; set these keys",
                              (long long)file->embed_dim, d[0], d[1], d[2], d[3], (long long)h[0], (long long)h[1],
                              (long long)h[2], (long long)h[3]);
}
