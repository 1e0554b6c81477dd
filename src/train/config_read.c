/* The configuration from YAML, by libyaml's events, which know their lines. */
#include <string.h>
#include <yaml.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "config_value.h"

static const size_t FILE_LIMIT = (size_t)1 << 20;
enum { MAX_KEYS = 128, MAX_VALUES = 4096 };

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *source;
    bool has_lines; /* a file, not a text of the command line */
    cmus_config *config;
    size_t lines[MAX_KEYS]; /* where each key was given in this source; 0: not yet */
} reader;

/* Puts file and line in front of the kept message. */
static cmus_status fail_at(const reader *r, size_t line, cmus_status status) {
    return r->has_lines ? cmus_fail_in(status, "%s, line %zu", r->source, line) : cmus_fail_in(status, "%s", r->source);
}

static cmus_status next_event(reader *r) {
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return CMUS_OK;
    memset(&r->event, 0, sizeof r->event);
    const char *problem = r->parser.problem ? r->parser.problem : "unreadable";
    size_t line = r->parser.problem_mark.line + 1;
    if (r->parser.error == YAML_READER_ERROR)
        return cmus_fail(CMUS_ERROR_CONFIG, "%s: no YAML: %s at byte %zu", r->source, problem,
                         r->parser.problem_offset);
    cmus_fail(CMUS_ERROR_CONFIG, "no YAML: %s", problem);
    return fail_at(r, line, CMUS_ERROR_CONFIG);
}

static size_t smallest(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance of two short texts. */
static size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1], length = strlen(b);
    if (length > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t above = row[j + 1];
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[length];
}

static cmus_status unknown_key(const char *name) {
    const char *nearest = NULL;
    size_t least = 4; /* beyond three changes a suggestion is a guess */
    for (size_t i = 0; i < cmus_key_count; i++) {
        size_t distance = edit_distance(name, cmus_keys[i].name);
        if (distance < least && distance < strlen(cmus_keys[i].name)) {
            least = distance;
            nearest = cmus_keys[i].name;
        }
    }
    if (nearest)
        return cmus_fail(CMUS_ERROR_CONFIG, "unknown key '%.100s'; did you mean '%s'?", name, nearest);
    return cmus_fail(CMUS_ERROR_CONFIG, "unknown key '%.100s'; --help-config lists all", name);
}

static cmus_status add_scalar(reader *r, cmus_yaml_value *value) {
    if (value->count >= MAX_VALUES)
        return cmus_fail(CMUS_ERROR_CONFIG, "a list of more than %d values", MAX_VALUES);
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length)
        return cmus_fail(CMUS_ERROR_CONFIG, "a value holds a zero byte");
    size_t capacity = value->capacity;
    value->texts = cmus_grow(value->texts, &capacity, value->count + 1, sizeof *value->texts);
    value->quoted = cmus_grow(value->quoted, &value->capacity, value->count + 1, sizeof *value->quoted);
    value->texts[value->count] = cmus_copy_string(text);
    value->quoted[value->count++] = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return CMUS_OK;
}

/* A scalar or a list of scalars; the event is at its beginning and is left at its end. */
static cmus_status read_value(reader *r, const char *key, cmus_yaml_value *value) {
    if (r->event.type == YAML_SCALAR_EVENT)
        return add_scalar(r, value);
    value->list = r->event.type == YAML_SEQUENCE_START_EVENT;
    if (!value->list)
        return cmus_fail(CMUS_ERROR_CONFIG, "%s: neither a plain value nor a list", key);
    for (;;) {
        CMUS_TRY(next_event(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return CMUS_OK;
        if (r->event.type != YAML_SCALAR_EVENT)
            return cmus_fail(CMUS_ERROR_CONFIG, "%s: a list of plain values is expected", key);
        CMUS_TRY(add_scalar(r, value));
    }
}

static void free_value(cmus_yaml_value *value) {
    for (size_t i = 0; i < value->count; i++)
        cmus_free(value->texts[i]);
    cmus_free(value->texts);
    cmus_free(value->quoted);
}

/* The event is at a key. A parser's error already says where it is, so only other errors get the line in front. */
static cmus_status read_pair(reader *r) {
    size_t line = r->event.start_mark.line + 1;
    if (r->event.type != YAML_SCALAR_EVENT) {
        cmus_fail(CMUS_ERROR_CONFIG, "'key: value' is expected");
        return fail_at(r, line, CMUS_ERROR_CONFIG);
    }
    const cmus_key *key = cmus_config_find((const char *)r->event.data.scalar.value);
    if (!key)
        return fail_at(r, line, unknown_key((const char *)r->event.data.scalar.value));
    size_t *given = &r->lines[key - cmus_keys];
    if (*given) {
        cmus_fail(CMUS_ERROR_CONFIG, r->has_lines ? "%s is given twice, first in line %zu" : "%s is given twice",
                  key->name, *given);
        return fail_at(r, line, CMUS_ERROR_CONFIG);
    }
    *given = line;
    CMUS_TRY(next_event(r));
    cmus_yaml_value value = {0};
    cmus_status status = read_value(r, key->name, &value);
    if (status == CMUS_OK)
        status = cmus_config_set(r->config, key, &value);
    free_value(&value);
    return status == CMUS_OK || r->parser.error != YAML_NO_ERROR ? status : fail_at(r, line, status);
}

static cmus_status expect(reader *r, yaml_event_type_t type) {
    CMUS_TRY(next_event(r));
    if (r->event.type == type)
        return CMUS_OK;
    cmus_fail(CMUS_ERROR_CONFIG, r->event.type == YAML_STREAM_END_EVENT
                                     ? "the file is empty: at least one 'key: value' line is expected"
                                     : "lines of the form 'key: value', and nothing else, are expected");
    return fail_at(r, r->event.start_mark.line + 1, CMUS_ERROR_CONFIG);
}

static cmus_status read_document(reader *r) {
    CMUS_TRY(expect(r, YAML_STREAM_START_EVENT));
    CMUS_TRY(expect(r, YAML_DOCUMENT_START_EVENT));
    CMUS_TRY(expect(r, YAML_MAPPING_START_EVENT));
    for (;;) {
        CMUS_TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        CMUS_TRY(read_pair(r));
    }
    CMUS_TRY(expect(r, YAML_DOCUMENT_END_EVENT));
    return expect(r, YAML_STREAM_END_EVENT);
}

static cmus_status read_text(reader *r, const char *text, size_t size) {
    if (cmus_key_count > MAX_KEYS)
        cmus_fatal("the table of keys has grown beyond %d", MAX_KEYS);
    memset(&r->event, 0, sizeof r->event);
    if (!yaml_parser_initialize(&r->parser))
        cmus_fatal("out of memory in libyaml");
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
    cmus_status status = read_document(r);
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
    return status;
}

static cmus_status read_override(reader *r, const char *override) {
    const char *equals = strchr(override, '=');
    if (!equals || equals == override || strchr(override, '\n'))
        return cmus_fail(CMUS_ERROR_ARGUMENT, "'%s' on the command line is no key=value", override);
    char *text = cmus_format_string("%.*s: %s\n", (int)(equals - override), override, equals + 1);
    char *source = cmus_format_string("command line, '%s'", override);
    r->source = source;
    cmus_status status = read_text(r, text, strlen(text));
    cmus_free(text);
    cmus_free(source);
    return status;
}

static cmus_status check_together(const char *path, cmus_config *config) {
    config->net.memory_bytes = config->memory_gib * 1024 * 1024 * 1024;
    config->net.classes = config->class_count ? config->class_count : 2;
    cmus_status status = cmus_net_config_check(&config->net);
    if (status == CMUS_OK && config->lr_min > config->lr)
        status = cmus_fail(CMUS_ERROR_CONFIG, "lr_min %g is larger than lr %g", config->lr_min, config->lr);
    if (status == CMUS_OK && config->warmup_epochs >= config->epochs)
        status = cmus_fail(CMUS_ERROR_CONFIG, "warmup_epochs %d leaves none of the %d epochs to the cosine",
                           config->warmup_epochs, config->epochs);
    return status == CMUS_OK ? CMUS_OK : cmus_fail_in(status, "%s", path);
}

void cmus_config_defaults(cmus_config *config) {
    bool given[MAX_KEYS] = {false};
    *config = (cmus_config){0};
    for (size_t i = 0; i < cmus_key_count; i++)
        cmus_config_set_default(config, &cmus_keys[i]);
    cmus_config_apply_encoder(config, given);
}

/* Defaults, then the text, then the overrides. */
static cmus_status read_all(const char *text, size_t size, const char *name, const char *const *overrides, size_t count,
                            cmus_config *config) {
    cmus_config_defaults(config);
    reader file = {.source = name, .has_lines = true, .config = config};
    CMUS_TRY(read_text(&file, text, size));
    reader line = {.config = config};
    for (size_t i = 0; i < count; i++)
        CMUS_TRY(read_override(&line, overrides[i]));
    bool given[MAX_KEYS];
    for (size_t i = 0; i < cmus_key_count; i++)
        given[i] = file.lines[i] || line.lines[i];
    cmus_config_apply_encoder(config, given);
    return check_together(name, config);
}

cmus_status cmus_config_read(const char *path, const char *const *overrides, size_t count, cmus_config *config) {
    char *text;
    size_t size;
    CMUS_TRY(cmus_file_read(path, FILE_LIMIT, &text, &size));
    cmus_status status = read_all(text, size, path, overrides, count, config);
    cmus_free(text);
    return status;
}

cmus_status cmus_config_parse(const char *text, const char *name, const char *const *overrides, size_t count,
                              cmus_config *config) {
    return read_all(text, strlen(text), name, overrides, count, config);
}
