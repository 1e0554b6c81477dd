/* The configuration as text: YAML, hash, help. And the learning rate that follows from it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/config.h"
#include "cmus/memory.h"

/* The shortest text that reads back as the same number. */
static char *number_text(double value) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return cmus_copy_string(text);
}

/* A text in double quotes, as YAML reads it back. */
static char *quoted_text(const char *text) {
    size_t room = 4 * strlen(text) + 3, used = 1;
    char *quoted = cmus_allocate(room, 1);
    quoted[0] = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        used += (size_t)snprintf(quoted + used, room - used,
                                 *c < ' '                  ? "\\x%02x"
                                 : *c == '"' || *c == '\\' ? "\\%c"
                                                           : "%c",
                                 *c);
    quoted[used] = '"';
    return quoted;
}

/* The names as a YAML list of double-quoted texts. */
static char *names_text(const cmus_config *config) {
    char *list = cmus_copy_string("[");
    for (int i = 0; i < config->class_count; i++) {
        char *quoted = quoted_text(config->classes[i]);
        char *longer = cmus_format_string("%s%s%s", list, i ? ", " : "", quoted);
        cmus_free(quoted);
        cmus_free(list);
        list = longer;
    }
    char *closed = cmus_format_string("%s]", list);
    cmus_free(list);
    return closed;
}

char *cmus_config_value(const cmus_config *config, const cmus_key *key) {
    const void *field = (const char *)config + key->offset;
    const int *integers = field;
    switch (key->type) {
    case CMUS_KEY_NUMBER:
        return number_text(*(const double *)field);
    case CMUS_KEY_BOOLEAN:
        return cmus_copy_string(*(const bool *)field ? "true" : "false");
    case CMUS_KEY_CHOICE: {
        int choice;
        memcpy(&choice, field, sizeof choice);
        return cmus_copy_string(key->choices[choice]);
    }
    case CMUS_KEY_STAGES:
        return cmus_format_string("[%d, %d, %d, %d]", integers[0], integers[1], integers[2], integers[3]);
    case CMUS_KEY_SEED:
        return cmus_format_string("%llu", (unsigned long long)*(const uint64_t *)field);
    case CMUS_KEY_PATH:
        return quoted_text(field);
    case CMUS_KEY_NAMES:
        return names_text(config);
    case CMUS_KEY_INTEGER:
    default:
        return cmus_format_string("%d", *integers);
    }
}

/* The lines of all keys, or of those that change results. */
static char *lines_text(const cmus_config *config, bool only_results) {
    char *text = cmus_copy_string("");
    for (size_t i = 0; i < cmus_key_count; i++) {
        const cmus_key *key = &cmus_keys[i];
        if ((only_results && !key->changes_results) || (key->type == CMUS_KEY_NAMES && config->class_count == 0))
            continue;
        char *value = cmus_config_value(config, key);
        char *longer = cmus_format_string("%s%s: %s\n", text, key->name, value);
        cmus_free(value);
        cmus_free(text);
        text = longer;
    }
    return text;
}

char *cmus_config_text(const cmus_config *config) {
    return lines_text(config, false);
}

char *cmus_config_results_text(const cmus_config *config) {
    return lines_text(config, true);
}

void cmus_config_hash(const cmus_config *config, char text[CMUS_SHA256_TEXT]) {
    char *lines = cmus_config_results_text(config);
    cmus_sha256(lines, strlen(lines), text);
    cmus_free(lines);
}

void cmus_config_help(FILE *stream) {
    cmus_config defaults;
    cmus_config_defaults(&defaults);
    fprintf(stream, "Keys of the configuration, with their defaults (the published protocol):\n\n");
    for (size_t i = 0; i < cmus_key_count; i++) {
        const cmus_key *key = &cmus_keys[i];
        char *value = cmus_config_value(&defaults, key);
        char *pair = cmus_format_string("%s: %s", key->name, value);
        fprintf(stream, "%-28s # %s", pair, key->help);
        if (key->choices) {
            fprintf(stream, " (");
            for (const char *const *choice = key->choices; *choice; choice++)
                fprintf(stream, "%s%s", choice == key->choices ? "" : ", ", *choice);
            fprintf(stream, ")");
        } else if (key->high > key->low && key->type != CMUS_KEY_SEED) {
            fprintf(stream, " (%g to %g)", key->low, key->high);
        }
        fprintf(stream, "\n");
        cmus_free(value);
        cmus_free(pair);
    }
}

double cmus_config_learning_rate(const cmus_config *config, int epoch) {
    static const double PI = 3.14159265358979323846;
    if (epoch < config->warmup_epochs)
        return config->lr * (epoch + 1) / (config->warmup_epochs + 1);
    double done = (double)(epoch - config->warmup_epochs) / (config->epochs - config->warmup_epochs);
    return config->lr_min + (config->lr - config->lr_min) * (1 + cos(PI * done)) / 2;
}

bool cmus_config_same_classes(const cmus_config *a, const cmus_config *b) {
    bool same = a->class_count == b->class_count;
    for (int i = 0; same && i < a->class_count; i++)
        same = strcmp(a->classes[i], b->classes[i]) == 0;
    return same;
}

bool cmus_config_same_network(const cmus_config *own, const cmus_config *given) {
    cmus_config compared = *given;
    char own_hash[CMUS_SHA256_TEXT], given_hash[CMUS_SHA256_TEXT];
    compared.net.precision = own->net.precision;
    if (compared.class_count == 0) {
        compared.class_count = own->class_count;
        memcpy(compared.classes, own->classes, sizeof compared.classes);
    }
    cmus_config_hash(own, own_hash);
    cmus_config_hash(&compared, given_hash);
    return strcmp(own_hash, given_hash) == 0;
}
