#include "weights_network.h"

#include "cmus/memory.h"
#include "cmus/weight_tools.h"
#include "cmus/weights_config.h"

/* Nothing says which network it is. */
static cmus_status read_published(const char *const *overrides, size_t count, cmus_config *config, char **name) {
    *name = cmus_copy_string("the published configuration");
    return cmus_config_parse("encoder: swin_b\n", "the published configuration", overrides, count, config);
}

/* *own with the overrides. */
static cmus_status override(const cmus_config *own, const char *name, const char *const *overrides, size_t count,
                            cmus_config *config) {
    char *text = cmus_config_text(own);
    cmus_status status = cmus_config_parse(text, name, overrides, count, config);
    cmus_free(text);
    return status;
}

/* Also what the file says of itself against what was given. */
static cmus_status read_config(const cmus_state_dict *dict, const char *path, const char *const *overrides,
                               size_t count, cmus_config *config, cmus_weights_network *network) {
    cmus_config own;
    bool found;
    CMUS_TRY(cmus_weights_config_read(dict, &own, &found, &network->name));
    if (path) {
        cmus_free(network->name);
        network->name = cmus_copy_string(path);
        CMUS_TRY(cmus_config_read(path, overrides, count, config));
    } else if (found)
        CMUS_TRY(override(&own, network->name, overrides, count, config));
    else
        return read_published(overrides, count, config, &network->name);
    if (found) {
        network->differs = !cmus_config_same_network(&own, config);
        network->other_classes = own.class_count && config->class_count && !cmus_config_same_classes(&own, config);
    }
    return CMUS_OK;
}

cmus_status cmus_weights_network_find(const cmus_state_dict *dict, const char *path, const char *const *overrides,
                                      size_t count, cmus_weights_network *network) {
    *network = (cmus_weights_network){0};
    cmus_config config;
    CMUS_TRY(read_config(dict, path, overrides, count, &config, network));
    if (config.class_count) {
        network->config = cmus_config_results_text(&config);
    } else {
        int classes = cmus_weights_classes(dict);
        bool usable = classes >= 2 && classes <= CMUS_MAX_CLASSES;
        config.net.classes = usable ? classes : cmus_net_config_published().classes;
    }
    return cmus_net_describe(&config.net, &network->parameters);
}

void cmus_weights_network_free(cmus_weights_network *network) {
    cmus_free(network->name);
    cmus_free(network->config);
    cmus_parameters_free(&network->parameters);
}
