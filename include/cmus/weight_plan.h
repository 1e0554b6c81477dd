/* Which tensor of a file goes where in a network: names of this project (the authors'), torchvision's and timm's Swin
 * Transformers; what is converted, resized, missing, left out, left over. Not collective.
 *
 * The network's tensors come in groups: the three encoders, "CrossAttn", and the heads "TEM_fc", "OM_fc", "IM_fc",
 * "MLP". A group is loaded whole or not at all; a file that holds a part of one, or more of it than the network has, is
 * refused, naming the tensor. Left out of a group are last layers of heads that differ in the number of classes alone.
 * An encoder of another library (torchvision, timm) goes into all three. Prefixes that wrappers put before every name
 * ("module.", "model.", "backbone.", "encoder.", also several) are taken off.
 */
#ifndef CMUS_WEIGHT_PLAN_H
#define CMUS_WEIGHT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/parameters.h"
#include "cmus/state_dict.h"

enum { CMUS_WEIGHT_PREFIX = 40 };

/* Whose names a file has. */
typedef enum cmus_weight_names {
    CMUS_NAMES_NETWORK,     /* TEM_encoder.0.1.0.attn.qkv.weight: the authors' and this project's */
    CMUS_NAMES_TORCHVISION, /* features.1.0.attn.qkv.weight */
    CMUS_NAMES_TIMM_OLD,    /* layers.0.blocks.0.mlp.fc1.weight, layers.0.downsample: behind the stage; Microsoft's */
    CMUS_NAMES_TIMM         /* layers.1.downsample: before the stage, as timm has it since 0.9 */
} cmus_weight_names;
/* For people: "torchvision's swin". */
const char *cmus_weight_names_text(cmus_weight_names names);

/* How a tensor of the network is got. */
typedef enum cmus_weight_action {
    CMUS_WEIGHT_KEPT,   /* not from this file: what the buffer holds stays */
    CMUS_WEIGHT_LOADED, /* values as they are, converted to float32 */
    CMUS_WEIGHT_RESIZED /* a bias table of another window: bicubic, as torch.nn.functional.interpolate */
} cmus_weight_action;

typedef struct cmus_weight_step {
    cmus_weight_action action;
    const cmus_stored_tensor *from; /* of the dict; NULL if kept */
} cmus_weight_step;

/* A tensor of the file that is not loaded, and why: "position index buffer", "attention mask buffer", "classification
 * head", "another number of classes", "not part of the network". */
typedef struct cmus_weight_leftover {
    const cmus_stored_tensor *tensor;
    const char *why;
    bool expected; /* such as such files have; else a warning is due */
} cmus_weight_leftover;

typedef struct cmus_weight_plan {
    cmus_weight_names names;
    char prefix[CMUS_WEIGHT_PREFIX]; /* that all names have: "module."; or "" */
    cmus_weight_step *steps;         /* [parameters->count], as the table of the network */
    size_t loaded, resized, kept;
    size_t other_classes; /* of the kept ones: last layers of heads, of other classes or left out before */
    cmus_weight_leftover *leftovers;
    size_t leftover_count, leftover_capacity;
} cmus_weight_plan;

/* Makes the plan; dict and parameters must outlive it. MISMATCH names file and tensor: nothing that fits, a group in
 * part, another shape (with the encoder that the file has, if it is another), types that are no floating-point numbers;
 * Swin V2 by name. Free it with cmus_weight_plan_free(), also after a failure. */
cmus_status cmus_weight_plan_make(const cmus_state_dict *dict, const cmus_parameters *parameters,
                                  cmus_weight_plan *plan);
/* Reads what the plan says into weights [parameters->size]; what goes to several places is read once. MISMATCH if a
 * value is not finite (of float64 also one beyond float32); as cmus_state_dict_read(). After a failure some may have
 * been set. At most one tensor is in memory beside the weights. */
cmus_status cmus_weight_plan_apply(const cmus_weight_plan *plan, cmus_state_dict *dict,
                                   const cmus_parameters *parameters, float *weights);
/* Whether anything is loaded into the group of parameters->tensors[index]. */
bool cmus_weight_plan_has_group(const cmus_weight_plan *plan, const cmus_parameters *parameters, size_t index);

/* What is loaded, as one line for the log: "torchvision's swin: 987 tensors into TEM_encoder, OM_encoder, IM_encoder;
 * not loaded: CrossAttn, TEM_fc, ..."; free with cmus_free(). */
char *cmus_weight_plan_text(const cmus_weight_plan *plan, const cmus_parameters *parameters);
/* The last layers of the heads are left out, as those of other classes are. */
void cmus_weight_plan_leave_heads(cmus_weight_plan *plan, const cmus_parameters *parameters);
/* Whether a tensor of the network is of a head's last layer, which has a row for each class. */
bool cmus_weight_is_last_layer(const char *name);
void cmus_weight_plan_free(cmus_weight_plan *plan);

#endif
