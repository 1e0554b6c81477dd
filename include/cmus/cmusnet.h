/* CMUS-Net: three encoders, the TEM bag's instance weights, cross-modal attention, four heads, the weighted loss.
 *
 * One call computes the gradients of any number of cases (cmus_net_gradients) or their outputs only (cmus_net_outputs).
 * A network holds weights and gradients in one flat buffer each (parameters.h). It knows nothing of ranks, files or
 * random numbers: what was drawn (stochastic depth, dropout) comes in with each case. None of these functions is
 * collective. All formulas: Long et al., arXiv 2512.15171, with the rules that this project documents in
 * src/model/README.md.
 */
#ifndef CMUS_CMUSNET_H
#define CMUS_CMUSNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmus/parameters.h"
#include "cmus/product.h"
#include "cmus/status.h"

enum { CMUS_MAX_CLASSES = 32, CMUS_STAGES = 4 };

/* What a configuration may ask for. */
enum {
    CMUS_MAX_EMBED_DIM = 1024,
    CMUS_MAX_DEPTH = 128,
    CMUS_MIN_IMAGE_SIZE = 32,
    CMUS_MAX_IMAGE_SIZE = 1024,
    CMUS_MAX_FUSION_HIDDEN = 65536
};

/* The order of the modalities in arrays, names and the concatenation before the fusion head. */
typedef enum cmus_modality { CMUS_TEM, CMUS_OM, CMUS_IM, CMUS_MODALITIES } cmus_modality;
/* "tem", "om", "im" */
extern const char *const cmus_modality_names[CMUS_MODALITIES];

/* The heads; those of the modalities have the modality's number. */
typedef enum cmus_head { CMUS_HEAD_TEM, CMUS_HEAD_OM, CMUS_HEAD_IM, CMUS_HEAD_FUSION, CMUS_HEADS } cmus_head;
/* "tem", "om", "im", "fusion" */
extern const char *const cmus_head_names[CMUS_HEADS];

typedef enum cmus_attention { CMUS_ATTENTION_CMSA, CMUS_ATTENTION_MULTIHEAD } cmus_attention;
typedef enum cmus_pooling { CMUS_POOLING_SMIL } cmus_pooling;
typedef enum cmus_fusion { CMUS_FUSION_MLP } cmus_fusion;

/* What the forward pass keeps for the backward pass. The gradients are the same; memory and time are not. */
typedef enum cmus_activations {
    CMUS_ACTIVATIONS_AUTO,     /* store, where a case fits into the memory; else recompute */
    CMUS_ACTIVATIONS_STORE,    /* the inside of every branch too */
    CMUS_ACTIVATIONS_RECOMPUTE /* the maps between the branches only */
} cmus_activations;

typedef struct cmus_net_config {
    int embed_dim;           /* channels of stage 1; the last stage has 8 times as many */
    int depths[CMUS_STAGES]; /* blocks */
    int heads[CMUS_STAGES];  /* attention heads; each divides its stage's channels */
    int image_size;          /* side of the square images in pixels */
    int classes;             /* 2 ... CMUS_MAX_CLASSES */
    double drop_path;        /* stochastic depth of the last block; rises linearly from 0 */
    double dropout;          /* in the fusion head */
    cmus_pooling tem_pooling;
    double distance_t; /* SMIL: images farther than this times the mean distance are left out */
    cmus_attention attention;
    int attention_heads; /* of the cross-modal attention */
    bool head_relu;      /* ReLU on the logits of the modalities' heads, as published */
    cmus_fusion fusion;
    int fusion_hidden;
    double loss_weight[CMUS_HEADS];
    cmus_activations activations;
    cmus_precision precision; /* of the large products; for the caller to give to cmus_products_precision() */
    double memory_bytes;      /* what this process may use in all: weights, gradients, Adam's moments and activations */
} cmus_net_config;

/* The published network: Swin-B, 224 px, three classes, 10 GiB. */
cmus_net_config cmus_net_config_published(void);

/* CONFIG if a value is impossible; the message names the configuration key. */
cmus_status cmus_net_config_check(const cmus_net_config *config);

/* One case. Images are normalised float RGB planes [3][S][S]. What was drawn may be NULL: then nothing is dropped. */
typedef struct cmus_case {
    const float *images[CMUS_MODALITIES]; /* TEM: [tem_count][3][S][S]; OM, IM: [3][S][S] */
    int tem_count;                        /* at least 1 */
    int label;                            /* 0 ... classes - 1; used by cmus_net_gradients and for losses */
    /* Stochastic depth: [images of the modality][blocks of an encoder][2: attention, MLP], each 0 or 1 / (1 - p). */
    const float *depth[CMUS_MODALITIES];
    const float *dropout; /* [fusion_hidden], each 0 or 1 / (1 - dropout) */
} cmus_case;

/* What came out of one case. The arrays are owned by the caller. */
typedef struct cmus_case_result {
    float logits[CMUS_HEADS][CMUS_MAX_CLASSES];
    double probabilities[CMUS_HEADS][CMUS_MAX_CLASSES]; /* softmax */
    double loss[CMUS_HEADS];                            /* cross-entropy, unweighted */
    double total_loss;                                  /* weighted sum of the four */
    bool dead[CMUS_HEADS];                              /* ReLU made all logits of the head 0: it has no gradient */
    int centre;                                         /* the TEM image with the smallest sum of distances */
    double mean_distance; /* over all pairs, of maps scaled to [0, 1]; 0 for bags of 1 or 2 */
    float *tem_weight;    /* [tem_count], may be NULL */
    float *tem_distance;  /* [tem_count]: distance from the centre; may be NULL */
    bool *tem_kept;       /* [tem_count], may be NULL */
} cmus_case_result;

typedef struct cmus_net cmus_net;

/* Makes a network with zeroed weights and gradients. CONFIG. Free it with cmus_net_free(). `training` false leaves the
 * gradient buffer out (cmus_net_gradients is then fatal). */
cmus_status cmus_net_create(const cmus_net_config *config, bool training, cmus_net **net);
void cmus_net_free(cmus_net *net);

const cmus_net_config *cmus_net_configuration(const cmus_net *net);
const cmus_parameters *cmus_net_parameters(const cmus_net *net);
/* Flat buffers of cmus_net_parameters(net)->size floats, owned by the network. */
float *cmus_net_weights(cmus_net *net);
float *cmus_net_gradient(cmus_net *net);
/* Blocks of an encoder: the sum of the depths; 0 ... blocks - 1 number them through all stages. */
int cmus_net_blocks(const cmus_net *net);
/* Probability that stochastic depth drops a branch of this block. */
double cmus_net_drop_probability(const cmus_net *net, int block);

/* ADDS to the gradient buffer: scale * d(total_loss of each case)/d(weights). Cases go through in as few groups as the
 * memory allows. results: [count]. */
void cmus_net_gradients(cmus_net *net, const cmus_case *cases, int count, double scale, cmus_case_result *results);

/* Forward only; drawn choices in the cases are ignored. */
void cmus_net_outputs(cmus_net *net, const cmus_case *cases, int count, cmus_case_result *results);

/* How many images' activations the memory holds at once if everything is kept and no branch dropped, for messages. */
int cmus_net_images_at_once(const cmus_net *net);

#endif
