/* CMUS-Net: three encoders, the TEM bag's instance weights, cross-modal attention, four heads, the weighted loss.
 *
 * One call computes the gradients of any number of cases (cmus_net_gradients) or their outputs only (cmus_net_outputs).
 * Where the images of a case are encoded by several ranks, its parts are called one by one: cmus_net_encode for images,
 * cmus_net_fuse for cases whose maps have been brought together, cmus_net_encode_backward for the images again.
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
    bool exact_sums; /* gradients are summed exactly over images and cases: the same bits in any order (exact_sum.h) */
    int optimizer_shares; /* ranks that share Adam's moments between them; 0 is 1 */
    double memory_bytes;  /* what this process may use in all: weights, gradients, Adam's moments and activations */
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

/* Parts of a case's features. First the means over the tokens of the modalities' own maps, in their order: what the
 * encoders see in each, of TEM in the whole bag. Then those that the fusion head takes: TEM, and OM and IM after the
 * cross-modal attention. */
enum { CMUS_FEATURES_FUSED = CMUS_MODALITIES, CMUS_FEATURES = 2 * CMUS_MODALITIES };

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
    float *features;      /* [CMUS_FEATURES][channels of a map]; may be NULL, then of all cases of a call */
} cmus_case_result;

typedef struct cmus_net cmus_net;

/* Makes a network with zeroed weights and gradients. CONFIG. Free it with cmus_net_free(). `training` false leaves the
 * gradient buffer out (cmus_net_gradients is then fatal). */
cmus_status cmus_net_create(const cmus_net_config *config, bool training, cmus_net **net);
void cmus_net_free(cmus_net *net);

/* The table of the parameters of such a network, without making one: it takes no memory for weights. CONFIG. Free it
 * with cmus_parameters_free(). */
cmus_status cmus_net_describe(const cmus_net_config *config, cmus_parameters *parameters);

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

/* The exact sums of the gradients, [parameters->size] in fixed point, with config.exact_sums; else NULL. Added to by
 * cmus_net_fuse() and cmus_net_encode_backward(), which leave 0 in cmus_net_gradient() then. */
int64_t *cmus_net_exact_sums(cmus_net *net);
/* Whether a gradient was met that exact sums can't hold (not finite, or above CMUS_EXACT_LIMIT); forgets it. */
bool cmus_net_exact_overflow(cmus_net *net);

/* Part by part ------------------------------------------------------------------------------------------------------
 */

/* How much a forward pass leaves for the backward pass. */
typedef enum cmus_keep {
    CMUS_KEEP_NOTHING, /* no backward pass follows, or one that goes forward once more */
    CMUS_KEEP_MAPS,    /* the maps between the branches; what lies inside a branch is computed again */
    CMUS_KEEP_ALL      /* also q, k, v and the hidden layer of every branch */
} cmus_keep;

/* An image on its way through its encoder. */
typedef struct cmus_image {
    cmus_modality modality;
    const float *pixels; /* [3][S][S]; NULL where only its cost or memory is asked for */
    const float *depth;  /* stochastic depth [blocks][2], or NULL: nothing is dropped */
} cmus_image;

/* Floats of a feature map: [tokens][channels] of the last stage. */
size_t cmus_net_map_size(const cmus_net *net);
/* Channels of the last stage. */
size_t cmus_net_channels(const cmus_net *net);
/* Place of the first tensor behind the encoders in the flat buffer. */
size_t cmus_net_fusion_begin(const cmus_net *net);

/* FLOPs of the matrix products of an image's forward pass, as its stochastic depth was drawn. */
double cmus_net_image_cost(const cmus_net *net, const float *depth);
/* Whether the memory holds these images [count] at once, sorted by modality (as for cmus_net_encode). */
bool cmus_net_fits(const cmus_net *net, const cmus_image *images, int count, cmus_keep keep);
/* Whether config.activations allows this. */
bool cmus_net_may_keep(const cmus_net *net, cmus_keep keep);

/* Images that went through the encoders and wait for their gradient. Lives in the network's memory: the next
 * cmus_net_encode() takes it over. Free it with cmus_net_encoding_free(). */
typedef struct cmus_encoding cmus_encoding;

/* maps [count][map size]: the features of the images [count], which are sorted by modality in the order of
 * cmus_modality. The images must stay until cmus_net_encode_backward(). `passage` (NULL: none) is asked for weights. */
cmus_encoding *cmus_net_encode(cmus_net *net, const cmus_image *images, int count, cmus_keep keep,
                               const cmus_passage *passage, float *maps);
void cmus_net_encoding_free(cmus_encoding *encoding);

/* What becomes of whole cases [count]: bags, attention, heads, losses. maps: [images][map size], case after case the
 * TEM images, OM, IM. Of the cases tem_count, label and dropout are used. With d_maps NULL (and scale unused): forward
 * only. Else d_maps [images][map size] = scale * d(total_loss)/d(maps), gradients += for the weights behind the
 * encoders, and used [images] says which images have any gradient: the map of the others in d_maps is undefined. */
void cmus_net_fuse(cmus_net *net, const cmus_case *cases, int count, const float *maps, double scale, float *d_maps,
                   bool *used, cmus_case_result *results);

/* Tokens of a feature map. */
int cmus_net_tokens(const cmus_net *net);
/* Softmaxes of the cross-modal attention between two maps: 1 in the published form, else one a head. */
int cmus_net_softmaxes(const cmus_net *net);

/* How one logit of one case follows from its maps: [tem_count + 2][map size], TEM images, OM, IM. Of the case only
 * tem_count is used; nothing is dropped. d_maps [tem_count + 2][map size] = d(logit of `head`, `class_number`)/d(maps),
 * of TEM image k its weight in the bag times that of the bag's map, as the weights are constants: 0 for images that
 * are left out. All 0 too where head_relu made the logit 0. attention[CMUS_OM], attention[CMUS_IM] (each may be NULL)
 * [softmaxes][tokens][tokens]: the probabilities by which each token of TEM (row) looks at each of OM or IM (column);
 * attention[CMUS_TEM] is not used. Networks need not be made for training; the gradient buffer is left alone. */
void cmus_net_logit_gradient(const cmus_net *net, const cmus_case *one, const float *maps, cmus_head head,
                             int class_number, float *d_maps, float *const attention[CMUS_MODALITIES]);

/* Adds to the gradient buffer what the images give for d_maps [count][map size] (overwritten), in the encoding's order;
 * images that are not `used` cost nothing. Encoders are done in the order IM, OM, TEM. `passage` (NULL: none) is told
 * what is ready: give it with the last images of an update only. */
void cmus_net_encode_backward(cmus_net *net, cmus_encoding *encoding, float *d_maps, const bool *used,
                              const cmus_passage *passage);

/* How many images' activations the memory holds at once if everything is kept and no branch dropped, for messages. */
int cmus_net_images_at_once(const cmus_net *net);

#endif
