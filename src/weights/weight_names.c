#include "weight_names.h"

#include <stdio.h>
#include <string.h>

static const char TABLE_ENDING[] = "attn.relative_position_bias_table";

static bool begins_with(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

bool cmus_same_group(const char *a, const char *b) {
    size_t length = strcspn(a, ".");
    return length == strcspn(b, ".") && strncmp(a, b, length) == 0;
}

bool cmus_of_encoder(const char *name) {
    return begins_with(name, "TEM_encoder.") || begins_with(name, "OM_encoder.") || begins_with(name, "IM_encoder.");
}

const char *cmus_weight_names_text(cmus_weight_names names) {
    switch (names) {
    case CMUS_NAMES_TORCHVISION:
        return "torchvision's swin";
    case CMUS_NAMES_TIMM_OLD:
        return "swin in Microsoft's and timm's older names";
    case CMUS_NAMES_TIMM:
        return "timm's swin";
    case CMUS_NAMES_NETWORK:
        break;
    }
    return "weights in the network's own names";
}

/* Whether all names go on with `more` behind the first `skip` characters, which they share. */
static bool all_begin_with(const cmus_state_dict *dict, size_t skip, const char *more) {
    size_t count = cmus_state_dict_count(dict);
    for (size_t i = 0; i < count; i++)
        if (!begins_with(cmus_state_dict_tensor(dict, i)->name + skip, more))
            return false;
    return count > 0;
}

/* What wrappers put before every name, such as torch.nn.parallel.DistributedDataParallel, one in another too. */
static void find_prefix(const cmus_state_dict *dict, char *prefix) {
    static const char *const wrappers[] = {"module.", "_orig_mod.", "model.", "backbone.", "encoder."};
    enum { WRAPPERS = sizeof wrappers / sizeof wrappers[0] };
    size_t length = 0;
    for (size_t i = 0; i < WRAPPERS;) {
        size_t more = strlen(wrappers[i]);
        if (length + more < CMUS_WEIGHT_PREFIX && all_begin_with(dict, length, wrappers[i])) {
            memcpy(prefix + length, wrappers[i], more);
            length += more;
            i = 0;
        } else {
            i++;
        }
    }
    prefix[length] = '\0';
}

/* Architectures that are alike, but compute something else. */
static cmus_status refuse_others(const cmus_state_dict *dict) {
    for (size_t i = 0; i < cmus_state_dict_count(dict); i++) {
        const char *name = cmus_state_dict_tensor(dict, i)->name;
        if (strstr(name, ".logit_scale") || strstr(name, ".cpb_mlp."))
            return cmus_fail(CMUS_ERROR_MISMATCH,
                             "%s: tensor '%.200s' is of a Swin Transformer V2, which computes attention otherwise; use "
                             "a file of the first version",
                             cmus_state_dict_path(dict), name);
        if (strstr(name, "absolute_pos_embed"))
            return cmus_fail(
                CMUS_ERROR_MISMATCH,
                "%s: tensor '%.200s' is of a Swin Transformer with absolute position embeddings, which this "
                "network does not have",
                cmus_state_dict_path(dict), name);
        if (strstr(name, ".attention.self.query."))
            return cmus_fail(CMUS_ERROR_MISMATCH,
                             "%s: tensor '%.200s' has a name of Hugging Face's transformers, which are not understood; "
                             "use the file of timm or torchvision with these weights",
                             cmus_state_dict_path(dict), name);
    }
    return CMUS_OK;
}

static bool of_network(const cmus_parameters *parameters, const char *name) {
    for (size_t i = 0; i < parameters->count; i++) {
        bool first = i == 0 || !cmus_same_group(parameters->tensors[i - 1].name, parameters->tensors[i].name);
        if (first && strchr(name, '.') && cmus_same_group(parameters->tensors[i].name, name))
            return true;
    }
    return false;
}

cmus_status cmus_weight_names_recognise(const cmus_state_dict *dict, const cmus_parameters *parameters,
                                        cmus_weight_names *names, char *prefix) {
    CMUS_TRY(refuse_others(dict));
    find_prefix(dict, prefix);
    size_t count = cmus_state_dict_count(dict), skip = strlen(prefix);
    bool features = false, layers = false, early_merging = false;
    for (size_t i = 0; i < count; i++) {
        const char *name = cmus_state_dict_tensor(dict, i)->name + skip;
        if (of_network(parameters, name)) {
            *names = CMUS_NAMES_NETWORK;
            return CMUS_OK;
        }
        features = features || (begins_with(name, "features.") && ends_with(name, TABLE_ENDING));
        layers = layers || (begins_with(name, "layers.") && ends_with(name, TABLE_ENDING));
        early_merging = early_merging || begins_with(name, "layers.0.downsample.");
    }
    if (!features && !layers)
        return cmus_fail(CMUS_ERROR_MISMATCH,
                         "%s: holds neither this network nor a Swin Transformer in torchvision's, timm's or "
                         "Microsoft's names (%zu tensors%s%.200s%s)",
                         cmus_state_dict_path(dict), count, count ? ", the first is '" : "",
                         count ? cmus_state_dict_tensor(dict, 0)->name : "", count ? "'" : "");
    *names = features ? CMUS_NAMES_TORCHVISION : early_merging ? CMUS_NAMES_TIMM_OLD : CMUS_NAMES_TIMM;
    return CMUS_OK;
}

/* "0.5.17.mlp.3.weight" of torchvision's features and norm in timm's names. */
static void timm_name(bool old, const char *prefix, const char *inner, char *name) {
    int part, used = 0, tail = 0;
    if (begins_with(inner, "0.0.0.")) {
        snprintf(name, CMUS_NAME_IN_FILE, "%spatch_embed.proj.%s", prefix, inner + 6);
    } else if (begins_with(inner, "0.0.2.")) {
        snprintf(name, CMUS_NAME_IN_FILE, "%spatch_embed.norm.%s", prefix, inner + 6);
    } else if (sscanf(inner, "0.%d.%n", &part, &used) == 1 && part % 2 == 0) { /* merges behind stage part / 2 */
        snprintf(name, CMUS_NAME_IN_FILE, "%slayers.%d.downsample.%s", prefix, old ? part / 2 - 1 : part / 2,
                 inner + used);
    } else if (sscanf(inner, "0.%d.%*d.%n", &part, &tail) == 1) {
        const char *last = inner + tail;
        int layer = begins_with(last, "mlp.0.") ? 1 : begins_with(last, "mlp.3.") ? 2 : 0;
        int block = tail - used - 1;
        if (layer)
            snprintf(name, CMUS_NAME_IN_FILE, "%slayers.%d.blocks.%.*s.mlp.fc%d.%s", prefix, (part - 1) / 2, block,
                     inner + used, layer, last + 6);
        else
            snprintf(name, CMUS_NAME_IN_FILE, "%slayers.%d.blocks.%.*s.%s", prefix, (part - 1) / 2, block, inner + used,
                     last);
    } else {
        snprintf(name, CMUS_NAME_IN_FILE, "%snorm.%s", prefix, inner + 2);
    }
}

bool cmus_weight_name_in_file(cmus_weight_names names, const char *prefix, const char *network_name, char *name) {
    if (names == CMUS_NAMES_NETWORK) {
        snprintf(name, CMUS_NAME_IN_FILE, "%s%s", prefix, network_name);
        return true;
    }
    if (!cmus_of_encoder(network_name))
        return false;
    const char *inner = strchr(network_name, '.') + 1;
    if (names != CMUS_NAMES_TORCHVISION)
        timm_name(names == CMUS_NAMES_TIMM_OLD, prefix, inner, name);
    else if (begins_with(inner, "0."))
        snprintf(name, CMUS_NAME_IN_FILE, "%sfeatures.%s", prefix, inner + 2);
    else
        snprintf(name, CMUS_NAME_IN_FILE, "%snorm.%s", prefix, inner + 2);
    return true;
}

const char *cmus_weight_name_known(cmus_weight_names names, const char *name) {
    if (ends_with(name, "attn.relative_position_index"))
        return "position index buffer";
    if (names != CMUS_NAMES_NETWORK && ends_with(name, ".attn_mask"))
        return "attention mask buffer";
    if (names != CMUS_NAMES_NETWORK && begins_with(name, "head."))
        return "classification head";
    return NULL;
}

bool cmus_weight_name_inside(cmus_weight_names names, const char *name) {
    if (names != CMUS_NAMES_NETWORK && begins_with(name, "norm."))
        return true;
    if (names == CMUS_NAMES_TORCHVISION)
        return begins_with(name, "features.");
    return names != CMUS_NAMES_NETWORK && (begins_with(name, "layers.") || begins_with(name, "patch_embed."));
}
