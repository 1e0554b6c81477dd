/* Where in its images a prediction comes from, as maps of the tokens of the encoders' last stage. Not collective.
 *
 * Grad-CAM (Selvaraju et al., ICCV 2017, equations 1 and 2) on the map that leaves each encoder: a channel's weight is
 * the mean over the tokens of d(logit of the class) / d(map); the heat of a token is the positive part of the weighted
 * sum of its channels. For a TEM image the gradient goes through its weight in the bag: an image that is left out has
 * no heat. CMSA attention: how much the TEM tokens together look at each token of OM and of IM.
 *
 * The map is taken behind the encoder's last LayerNorm and in front of the bag and of the cross-modal attention. There
 * a token is still a place of one image: the bag's map mixes the TEM images, and the published attention reads
 * [channels, tokens] again as [tokens, channels], so that a row behind it is no place any more. In front of the
 * LayerNorm the tokens would have scales of their own, which no head sees. The gradient of OM and IM holds all ways to
 * the logit: past the attention, through its values and through its keys; that of TEM the ways through its queries,
 * too. The weights of the bag are constants, in the explanation as in the training.
 */
#ifndef CMUS_EXPLANATION_H
#define CMUS_EXPLANATION_H

#include "cmus/cmusnet.h"

/* Maps are [side][side], rows from the top. */
typedef struct cmus_explanation {
    int side, tem_count;
    float *heat[CMUS_MODALITIES];      /* TEM: [tem_count][side][side]; OM, IM: [side][side]; at least 0, unscaled */
    float *attention[CMUS_MODALITIES]; /* OM, IM: [side][side], sums to 1: mean over the TEM tokens (and over the
                                          softmaxes of the multi-head form); TEM: NULL */
} cmus_explanation;

/* Explains the logit of `class_number` of `head` for one case. maps: [tem_count + 2][map size] as for cmus_net_fuse():
 * what cmus_net_encode() gave for the case's TEM images, OM, IM. Of the case only tem_count is used. Works on networks
 * that were made without training. With head_relu a head whose logit is 0 gives no heat. Free it with
 * cmus_explanation_free(). */
void cmus_explain(const cmus_net *net, const cmus_case *one, const float *maps, cmus_head head, int class_number,
                  cmus_explanation *explanation);
void cmus_explanation_free(cmus_explanation *explanation);

/* Enlarges a map to pixels [size][size]: bilinearly to 32 pixels a token, as torch.nn.functional.interpolate(
 * mode="bilinear", align_corners=False), and cut to the image, which the last tokens may reach beyond. */
void cmus_enlarge_map(const float *map, int side, int size, float *pixels);

#endif
