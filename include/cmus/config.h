/* The configuration: flat YAML keys. One table (cmus_keys) holds name, type, range, default and help of each key;
 * parsing, writing, hashing, comparing and --help-config are loops over it. Not collective.
 */
#ifndef CMUS_CONFIG_H
#define CMUS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cmus/cmusnet.h"
#include "cmus/file.h"
#include "cmus/status.h"

enum { CMUS_CLASS_NAME = 256, CMUS_PATH_TEXT = 1024 };

typedef enum cmus_encoder { CMUS_ENCODER_SWIN_B, CMUS_ENCODER_SWIN_S, CMUS_ENCODER_SWIN_T } cmus_encoder;
typedef enum cmus_reduction { CMUS_REDUCTION_SUM, CMUS_REDUCTION_MEAN } cmus_reduction;
typedef enum cmus_allreduce_order {
    CMUS_ORDER_FAST, /* sums over images as they lie on the ranks: rounding depends on the number of ranks */
    CMUS_ORDER_FIXED /* the same bits for any number of ranks */
} cmus_allreduce_order;

/* All values; the help texts of the keys say what they mean. Owns nothing: plain copies are fine. */
typedef struct cmus_config {
    cmus_net_config net; /* `classes` and `memory_bytes` are filled from class_count and memory_gib */
    cmus_encoder encoder;
    int class_count; /* 0: those of the data set */
    char classes[CMUS_MAX_CLASSES][CMUS_CLASS_NAME];
    int max_tem;
    cmus_reduction loss_reduction;
    int epochs, batch, warmup_epochs, eval_every, max_updates, bucket_mb;
    double lr, lr_min, weight_decay, memory_gib;
    uint64_t seed;
    bool flip_horizontal, flip_vertical;
    cmus_precision allreduce_precision;
    cmus_allreduce_order allreduce_order;
    bool shard_optimizer, preload, save_features, tensorboard;
    int watch_every, max_bad_steps;
    double stall_report, stall_timeout;                /* seconds */
    char trace[CMUS_PATH_TEXT], stage[CMUS_PATH_TEXT]; /* "": none */
} cmus_config;

typedef enum cmus_key_type {
    CMUS_KEY_INTEGER, /* int */
    CMUS_KEY_NUMBER,  /* double */
    CMUS_KEY_BOOLEAN, /* bool */
    CMUS_KEY_CHOICE,  /* an enum: position in `choices` */
    CMUS_KEY_STAGES,  /* int [CMUS_STAGES] */
    CMUS_KEY_SEED,    /* uint64_t */
    CMUS_KEY_PATH,    /* char [CMUS_PATH_TEXT], may be empty */
    CMUS_KEY_NAMES    /* classes and class_count */
} cmus_key_type;

typedef struct cmus_key {
    const char *name;
    cmus_key_type type;
    size_t offset;              /* in cmus_config */
    double low, high;           /* of numbers, both allowed */
    const char *const *choices; /* ended by NULL */
    const char *initial;        /* default as YAML; NULL: from `encoder`, or an empty list */
    bool changes_results;       /* is part of the hash: a run can't be resumed with another value */
    const char *help;
} cmus_key;

extern const cmus_key cmus_keys[];
extern const size_t cmus_key_count;

/* The defaults: the published protocol. */
void cmus_config_defaults(cmus_config *config);

/* Defaults, then the file, then `overrides` [count], each "key=value" with the value in YAML. CONFIG for an unknown key
 * (the nearest one is suggested), a wrong type, a value out of range, a key given twice, values that do not go
 * together; the message names file, line and key. NOT_FOUND, IO, LIMIT. */
cmus_status cmus_config_read(const char *path, const char *const *overrides, size_t count, cmus_config *config);

/* The same from a text; `name` says where it is from, in messages. */
cmus_status cmus_config_parse(const char *text, const char *name, const char *const *overrides, size_t count,
                              cmus_config *config);

/* The configuration as YAML, every key in the order of the table, for cmus_config_read() to give the same values again.
 * Free it with cmus_free(). */
char *cmus_config_text(const cmus_config *config);

/* The lines of it whose keys change results: what is the same in all runs that give the same weights. Free it with
 * cmus_free(). */
char *cmus_config_results_text(const cmus_config *config);

/* SHA-256 of cmus_config_results_text(). */
void cmus_config_hash(const cmus_config *config, char text[CMUS_SHA256_TEXT]);

/* Whether both name the same classes in the same order. */
bool cmus_config_same_classes(const cmus_config *a, const cmus_config *b);
/* Whether a network of configuration `own` is still itself with `given`: all keys that change results are the same but
 * the precision; no classes in `given` are those of `own`. */
bool cmus_config_same_network(const cmus_config *own, const cmus_config *given);

/* One key's value as YAML; free with cmus_free(). */
char *cmus_config_value(const cmus_config *config, const cmus_key *key);

/* The table as help text. */
void cmus_config_help(FILE *stream);

/* Learning rate of an epoch from 0: linear warm-up over warmup_epochs, then the cosine from lr to lr_min. */
double cmus_config_learning_rate(const cmus_config *config, int epoch);

#endif
