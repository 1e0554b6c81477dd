#include "config_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/log.h"

const cmus_key *cmus_config_find(const char *name) {
    for (size_t i = 0; i < cmus_key_count; i++)
        if (strcmp(cmus_keys[i].name, name) == 0)
            return &cmus_keys[i];
    return NULL;
}

/* What a key takes, for messages. */
static void describe(const cmus_key *key, char *text, size_t size) {
    switch (key->type) {
    case CMUS_KEY_INTEGER:
        snprintf(text, size, "a whole number from %.0f to %.0f", key->low, key->high);
        break;
    case CMUS_KEY_NUMBER:
        snprintf(text, size, "a number from %g to %g", key->low, key->high);
        break;
    case CMUS_KEY_SEED:
        snprintf(text, size, "a whole number from 0 to 2^63 - 1");
        break;
    case CMUS_KEY_BOOLEAN:
        snprintf(text, size, "true or false");
        break;
    case CMUS_KEY_STAGES:
        snprintf(text, size, "a list of %d whole numbers from %.0f to %.0f, such as [2, 2, 2, 2]", CMUS_STAGES,
                 key->low, key->high);
        break;
    case CMUS_KEY_PATH:
        snprintf(text, size, "a path shorter than %d bytes", CMUS_PATH_TEXT);
        break;
    case CMUS_KEY_NAMES:
        snprintf(text, size, "a list of 2 to %d different names shorter than %d bytes", CMUS_MAX_CLASSES,
                 CMUS_CLASS_NAME);
        break;
    case CMUS_KEY_CHOICE: {
        size_t used = (size_t)snprintf(text, size, "one of");
        for (const char *const *choice = key->choices; *choice && used < size; choice++)
            used += (size_t)snprintf(text + used, size - used, " %s", *choice);
    }
    }
}

static bool to_integer(const char *text, double low, double high, int *value) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)number < low || (double)number > high || strchr(" +", text[0]))
        return false;
    *value = (int)number;
    return true;
}

static bool to_seed(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value <= INT64_MAX;
}

static bool to_number(const char *text, double low, double high, double *value) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return strspn(text, "+-.0123456789eE") == strlen(text) && end != text && !*end && isfinite(*value) &&
           *value >= low && *value <= high;
}

static bool set_names(cmus_config *config, const cmus_yaml_value *value) {
    if (value->count < 2 || value->count > CMUS_MAX_CLASSES)
        return false;
    for (size_t i = 0; i < value->count; i++) {
        size_t length = strlen(value->texts[i]);
        if (length == 0 || length >= CMUS_CLASS_NAME)
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(value->texts[i], value->texts[j]) == 0)
                return false;
        memcpy(config->classes[i], value->texts[i], length + 1);
    }
    config->class_count = (int)value->count;
    return true;
}

static bool set_choice(const cmus_key *key, const char *text, void *field) {
    for (int i = 0; key->choices[i]; i++)
        if (strcmp(key->choices[i], text) == 0) {
            memcpy(field, &i, sizeof i); /* the fields are enums, which have the size of an int */
            return true;
        }
    return false;
}

static bool set_path(const char *text, char *path) {
    size_t length = strlen(text);
    if (length >= CMUS_PATH_TEXT)
        return false;
    memcpy(path, text, length + 1);
    return true;
}

static bool set_value(cmus_config *config, const cmus_key *key, const cmus_yaml_value *value) {
    void *field = (char *)config + key->offset;
    bool list = key->type == CMUS_KEY_STAGES || key->type == CMUS_KEY_NAMES;
    if (value->list != list)
        return false;
    if (key->type == CMUS_KEY_NAMES)
        return set_names(config, value);
    for (size_t i = 0; i < value->count; i++)
        if (value->quoted[i] && key->type != CMUS_KEY_CHOICE && key->type != CMUS_KEY_PATH)
            return false;
    const char *text = list ? NULL : value->texts[0];
    switch (key->type) {
    case CMUS_KEY_INTEGER:
        return to_integer(text, key->low, key->high, field);
    case CMUS_KEY_NUMBER:
        return to_number(text, key->low, key->high, field);
    case CMUS_KEY_SEED:
        return to_seed(text, field);
    case CMUS_KEY_BOOLEAN:
        *(bool *)field = strcmp(text, "true") == 0;
        return *(bool *)field || strcmp(text, "false") == 0;
    case CMUS_KEY_CHOICE:
        return set_choice(key, text, field);
    case CMUS_KEY_PATH:
        return set_path(text, field);
    case CMUS_KEY_STAGES:
    default:
        for (size_t i = 0; i < CMUS_STAGES && value->count == CMUS_STAGES; i++)
            if (!to_integer(value->texts[i], key->low, key->high, (int *)field + i))
                return false;
        return value->count == CMUS_STAGES;
    }
}

cmus_status cmus_config_set(cmus_config *config, const cmus_key *key, const cmus_yaml_value *value) {
    if (set_value(config, key, value))
        return CMUS_OK;
    char takes[256];
    describe(key, takes, sizeof takes);
    if (value->list || value->count == 0)
        return cmus_fail(CMUS_ERROR_CONFIG, "%s takes %s", key->name, takes);
    return cmus_fail(CMUS_ERROR_CONFIG, value->quoted[0] ? "%s: \"%s\" in quotes is not %s" : "%s: '%s' is not %s",
                     key->name, value->texts[0], takes);
}

void cmus_config_set_default(cmus_config *config, const cmus_key *key) {
    if (!key->initial)
        return;
    char *text = (char *)key->initial;
    bool quoted = false;
    cmus_yaml_value value = {.count = 1, .texts = &text, .quoted = &quoted};
    if (!set_value(config, key, &value))
        cmus_fatal("the default %s of the key %s is impossible", key->initial, key->name);
}

void cmus_config_apply_encoder(cmus_config *config, const bool *given) {
    static const struct {
        int embed_dim, depths[CMUS_STAGES], heads[CMUS_STAGES];
    } presets[] = {[CMUS_ENCODER_SWIN_B] = {128, {2, 2, 18, 2}, {4, 8, 16, 32}},
                   [CMUS_ENCODER_SWIN_S] = {96, {2, 2, 18, 2}, {3, 6, 12, 24}},
                   [CMUS_ENCODER_SWIN_T] = {96, {2, 2, 6, 2}, {3, 6, 12, 24}}};
    for (size_t i = 0; i < cmus_key_count; i++) {
        if (given[i])
            continue;
        if (cmus_keys[i].offset == offsetof(cmus_config, net.embed_dim))
            config->net.embed_dim = presets[config->encoder].embed_dim;
        if (cmus_keys[i].offset == offsetof(cmus_config, net.depths))
            memcpy(config->net.depths, presets[config->encoder].depths, sizeof config->net.depths);
        if (cmus_keys[i].offset == offsetof(cmus_config, net.heads))
            memcpy(config->net.heads, presets[config->encoder].heads, sizeof config->net.heads);
    }
}
