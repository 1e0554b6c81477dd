/* Twins of src/model. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/memory.h"
#include "twins.h"

static double *numbers(int count) {
    return cmus_allocate((size_t)count, sizeof(double));
}

const double *twin_tensor(const twin_weights *weights, const char *format, ...) {
    char name[CMUS_TENSOR_NAME];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const cmus_tensor *tensor = cmus_parameters_find(weights->parameters, name);
    if (!tensor) {
        printf("there is no tensor %s\n", name);
        exit(1);
    }
    return weights->values + tensor->offset;
}

void twin_patch_embedding(double *out, const double *image, const double *weight, const double *bias, int size,
                          int channels) {
    int side = size / 4;
    for (int t = 0; t < side * side; t++)
        for (int o = 0; o < channels; o++) {
            double sum = bias[o];
            for (int i = 0; i < 3; i++)
                for (int y = 0; y < 4; y++)
                    for (int x = 0; x < 4; x++)
                        sum += weight[((o * 3 + i) * 4 + y) * 4 + x] *
                               image[(i * size + t / side * 4 + y) * size + t % side * 4 + x];
            out[t * channels + o] = sum;
        }
}

void twin_merge(double *out, const double *in, int side, int channels) {
    static const int first_row[4] = {0, 1, 0, 1}, first_column[4] = {0, 0, 1, 1};
    int even = side + side % 2, next = even / 2;
    double *padded = numbers(even * even * channels); /* zeros at the right and at the bottom */
    for (int r = 0; r < side; r++)
        memcpy(padded + r * even * channels, in + r * side * channels, (size_t)(side * channels) * sizeof *padded);
    for (int r = 0; r < next; r++)
        for (int c = 0; c < next; c++)
            for (int part = 0; part < 4; part++)
                for (int k = 0; k < channels; k++)
                    out[((r * next + c) * 4 + part) * channels + k] =
                        padded[((2 * r + first_row[part]) * even + 2 * c + first_column[part]) * channels + k];
    cmus_free(padded);
}

/* branch [side^2][channels] = attention of LN(x), with the zeros of the padding sent through the qkv layer. */
static void attention_branch(double *branch, const double *x, const twin_weights *w, const char *block, int side,
                             int channels, int heads, bool shifted) {
    int padded_side = (side + 6) / 7 * 7, tokens = padded_side * padded_side;
    double *normal = numbers(side * side * channels), *padded = numbers(tokens * channels);
    double *qkv = numbers(tokens * 3 * channels), *mixed = numbers(tokens * channels);
    twin_layernorm(normal, x, twin_tensor(w, "%s.norm1.weight", block), twin_tensor(w, "%s.norm1.bias", block),
                   side * side, channels);
    for (int r = 0; r < side; r++)
        memcpy(padded + r * padded_side * channels, normal + r * side * channels,
               (size_t)(side * channels) * sizeof *padded);
    twin_linear(qkv, padded, twin_tensor(w, "%s.attn.qkv.weight", block), twin_tensor(w, "%s.attn.qkv.bias", block),
                tokens, channels, 3 * channels);
    twin_window_attention_padded(mixed, qkv, twin_tensor(w, "%s.attn.relative_position_bias_table", block), padded_side,
                                 padded_side, shifted, channels, heads);
    twin_linear(padded, mixed, twin_tensor(w, "%s.attn.proj.weight", block), twin_tensor(w, "%s.attn.proj.bias", block),
                tokens, channels, channels);
    for (int r = 0; r < side; r++)
        memcpy(branch + r * side * channels, padded + r * padded_side * channels,
               (size_t)(side * channels) * sizeof *padded);
    cmus_free(normal);
    cmus_free(padded);
    cmus_free(qkv);
    cmus_free(mixed);
}

static void mlp_branch(double *branch, const double *x, const twin_weights *w, const char *block, int tokens,
                       int channels) {
    double *normal = numbers(tokens * channels), *hidden = numbers(tokens * 4 * channels);
    twin_layernorm(normal, x, twin_tensor(w, "%s.norm2.weight", block), twin_tensor(w, "%s.norm2.bias", block), tokens,
                   channels);
    twin_linear(hidden, normal, twin_tensor(w, "%s.mlp.0.weight", block), twin_tensor(w, "%s.mlp.0.bias", block),
                tokens, channels, 4 * channels);
    for (int i = 0; i < tokens * 4 * channels; i++)
        hidden[i] = twin_gelu(hidden[i]);
    twin_linear(branch, hidden, twin_tensor(w, "%s.mlp.3.weight", block), twin_tensor(w, "%s.mlp.3.bias", block),
                tokens, 4 * channels, channels);
    cmus_free(normal);
    cmus_free(hidden);
}

/* x = merged map of x, half the side and twice the channels */
static void merge_stage(double *x, const twin_weights *w, const char *prefix, int stage, int side, int channels) {
    int next = (side + 1) / 2, rows = next * next;
    double *joined = numbers(rows * 4 * channels);
    twin_merge(joined, x, side, channels);
    twin_layernorm(joined, joined, twin_tensor(w, "%s.0.%d.norm.weight", prefix, 2 * stage + 2),
                   twin_tensor(w, "%s.0.%d.norm.bias", prefix, 2 * stage + 2), rows, 4 * channels);
    twin_linear(x, joined, twin_tensor(w, "%s.0.%d.reduction.weight", prefix, 2 * stage + 2), NULL, rows, 4 * channels,
                2 * channels);
    cmus_free(joined);
}

void twin_encoder(double *features, const cmus_swin_config *config, const twin_weights *w, const char *prefix,
                  const float *image, const float *depth) {
    int size = config->image_size, side = size / 4, channels = config->embed_dim, number = 0;
    int room = side * side * channels * 2;
    double *pixels = numbers(3 * size * size), *x = numbers(room), *branch = numbers(room);
    for (int i = 0; i < 3 * size * size; i++)
        pixels[i] = (double)image[i];
    twin_patch_embedding(x, pixels, twin_tensor(w, "%s.0.0.0.weight", prefix), twin_tensor(w, "%s.0.0.0.bias", prefix),
                         size, channels);
    twin_layernorm(x, x, twin_tensor(w, "%s.0.0.2.weight", prefix), twin_tensor(w, "%s.0.0.2.bias", prefix),
                   side * side, channels);
    for (int s = 0; s < CMUS_SWIN_STAGES; s++) {
        for (int b = 0; b < config->depths[s]; b++, number++) {
            char block[64];
            snprintf(block, sizeof block, "%s.0.%d.%d", prefix, 2 * s + 1, b);
            attention_branch(branch, x, w, block, side, channels, config->heads[s], b % 2 == 1);
            for (int i = 0; i < side * side * channels; i++)
                x[i] += (depth ? (double)depth[2 * number] : 1) * branch[i];
            mlp_branch(branch, x, w, block, side * side, channels);
            for (int i = 0; i < side * side * channels; i++)
                x[i] += (depth ? (double)depth[2 * number + 1] : 1) * branch[i];
        }
        if (s + 1 == CMUS_SWIN_STAGES)
            break;
        merge_stage(x, w, prefix, s, side, channels);
        side = (side + 1) / 2;
        channels *= 2;
    }
    twin_layernorm(features, x, twin_tensor(w, "%s.1.weight", prefix), twin_tensor(w, "%s.1.bias", prefix), side * side,
                   channels);
    cmus_free(pixels);
    cmus_free(x);
    cmus_free(branch);
}

static double scaled_product(const double *a, const double *b, int count, double scale) {
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum * scale;
}

void twin_cross_attention(double *out, const twin_weights *w, const char *prefix, const double *tem,
                          const double *other, int tokens, int channels, int heads, bool multihead) {
    int parts = multihead ? heads : 1, width = channels / parts;
    double *q = numbers(tokens * channels), *k = numbers(tokens * channels), *v = numbers(tokens * channels);
    double *product = numbers(tokens * channels), *transposed = numbers(tokens * channels), *row = numbers(tokens);
    twin_linear(q, tem, twin_tensor(w, "%s.W_q.weight", prefix), NULL, tokens, channels, channels);
    twin_linear(k, other, twin_tensor(w, "%s.W_k.weight", prefix), NULL, tokens, channels, channels);
    twin_linear(v, other, twin_tensor(w, "%s.W_v.weight", prefix), NULL, tokens, channels, channels);
    for (int p = 0; p < parts; p++)
        for (int i = 0; i < tokens; i++) {
            for (int j = 0; j < tokens; j++)
                row[j] = scaled_product(q + i * channels + p * width, k + j * channels + p * width, width,
                                        pow(channels / heads, -0.5));
            twin_softmax(row, tokens);
            for (int c = p * width; c < (p + 1) * width; c++)
                for (int j = 0; j < tokens; j++)
                    product[i * channels + c] += row[j] * v[j * channels + c];
        }
    for (int i = 0; i < tokens; i++)
        for (int c = 0; c < channels; c++)
            transposed[c * tokens + i] = product[i * channels + c];
    /* the published form reads the memory of [C, N] again as [N, C] */
    twin_linear(out, multihead ? product : transposed, twin_tensor(w, "%s.proj.weight", prefix),
                twin_tensor(w, "%s.proj.bias", prefix), tokens, channels, channels);
    for (int i = 0; i < tokens * channels; i++)
        out[i] += other[i];
    cmus_free(q);
    cmus_free(k);
    cmus_free(v);
    cmus_free(product);
    cmus_free(transposed);
    cmus_free(row);
}

static double finite_or_zero(double value) {
    return isfinite(value) ? value : 0;
}

/* Step 4 of SMIL: what the kept others weigh. */
static void weigh(const double *distance, int count, int centre, double limit, double *weight) {
    double low = INFINITY, high = 0;
    for (int k = 0; k < count; k++)
        if (k != centre && distance[k] <= limit) {
            low = fmin(low, 1 / (distance[k] + 1e-8));
            high = fmax(high, 1 / (distance[k] + 1e-8));
        }
    for (int k = 0; k < count; k++) {
        double inverse = 1 / (distance[k] + 1e-8);
        weight[k] = distance[k] > limit ? 0 : high > low ? (inverse - low) / (high - low) : 1;
    }
    weight[centre] = 1;
}

int twin_smil(const double *maps, int count, size_t size, double threshold, double *weight, double *mean_distance) {
    *mean_distance = 0;
    for (int k = 0; k < count; k++)
        weight[k] = 1;
    if (count <= 2)
        return 0;
    double low = INFINITY, high = -INFINITY, smallest = INFINITY, total = 0, *distances = numbers(count * count);
    for (size_t i = 0; i < (size_t)count * size; i++) {
        low = fmin(low, finite_or_zero(maps[i]));
        high = fmax(high, finite_or_zero(maps[i]));
    }
    int centre = 0;
    for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int j = 0; j < count; j++) {
            double squares = 0;
            for (size_t k = 0; k < size && high > low; k++) {
                double a = (finite_or_zero(maps[(size_t)i * size + k]) - low) / (high - low);
                double b = (finite_or_zero(maps[(size_t)j * size + k]) - low) / (high - low);
                squares += (a - b) * (a - b);
            }
            sum += distances[i * count + j] = sqrt(squares);
        }
        total += sum;
        if (sum < smallest) {
            smallest = sum;
            centre = i;
        }
    }
    *mean_distance = total / (count * (count - 1.0));
    weigh(distances + centre * count, count, centre, threshold * *mean_distance, weight);
    cmus_free(distances);
    return centre;
}

void twin_heads(const cmus_net_config *config, const twin_weights *w, int channels, double *const pooled[3],
                const float *dropout, int label, twin_result *result) {
    static const char *const names[3] = {"TEM_fc.linear", "OM_fc.linear", "IM_fc.linear"};
    double *joined = numbers(3 * channels), *hidden = numbers(config->fusion_hidden);
    for (int m = 0; m < 3; m++) {
        twin_linear(result->logits[m], pooled[m], twin_tensor(w, "%s.weight", names[m]),
                    twin_tensor(w, "%s.bias", names[m]), 1, channels, config->classes);
        for (int c = 0; c < config->classes && config->head_relu; c++)
            result->logits[m][c] = fmax(0, result->logits[m][c]);
        memcpy(joined + m * channels, pooled[m], (size_t)channels * sizeof *joined);
    }
    twin_linear(hidden, joined, twin_tensor(w, "MLP.linear1.weight"), twin_tensor(w, "MLP.linear1.bias"), 1,
                3 * channels, config->fusion_hidden);
    for (int h = 0; h < config->fusion_hidden; h++)
        hidden[h] = fmax(0, hidden[h] * (dropout ? (double)dropout[h] : 1));
    twin_linear(result->logits[CMUS_HEAD_FUSION], hidden, twin_tensor(w, "MLP.linear2.weight"),
                twin_tensor(w, "MLP.linear2.bias"), 1, config->fusion_hidden, config->classes);
    result->total_loss = 0;
    for (int h = 0; h < CMUS_HEADS; h++) {
        double probability[CMUS_MAX_CLASSES];
        memcpy(probability, result->logits[h], sizeof probability);
        twin_softmax(probability, config->classes);
        result->loss[h] = -log(probability[label]);
        result->total_loss += config->loss_weight[h] * result->loss[h];
    }
    cmus_free(joined);
    cmus_free(hidden);
}

static void mean_tokens(double *pooled, const double *map, int tokens, int channels) {
    for (int c = 0; c < channels; c++) {
        pooled[c] = 0;
        for (int t = 0; t < tokens; t++)
            pooled[c] += map[t * channels + c] / tokens;
    }
}

int twin_tokens(const cmus_net_config *config) {
    int side = config->image_size / 4;
    for (int s = 1; s < CMUS_STAGES; s++)
        side = (side + 1) / 2;
    return side * side;
}

int twin_channels(const cmus_net_config *config) {
    return 8 * config->embed_dim;
}

void twin_encode(const cmus_net_config *config, const twin_weights *w, const cmus_case *one, cmus_modality modality,
                 double *maps) {
    static const char *const encoders[CMUS_MODALITIES] = {"TEM_encoder", "OM_encoder", "IM_encoder"};
    cmus_swin_config swin = {.embed_dim = config->embed_dim, .image_size = config->image_size};
    int map = twin_tokens(config) * twin_channels(config), factors = 0;
    for (int s = 0; s < CMUS_STAGES; s++) {
        swin.depths[s] = config->depths[s];
        swin.heads[s] = config->heads[s];
        factors += 2 * config->depths[s];
    }
    int pixels = 3 * config->image_size * config->image_size, count = modality == CMUS_TEM ? one->tem_count : 1;
    const float *depth = one->depth[modality];
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < count; i++)
        twin_encoder(maps + i * map, &swin, w, encoders[modality], one->images[modality] + i * pixels,
                     depth ? depth + i * factors : NULL);
}

void twin_fuse(const cmus_net_config *config, const twin_weights *w, const cmus_case *one,
               double *const maps[CMUS_MODALITIES], const double *tem_weight, twin_result *result) {
    int tokens = twin_tokens(config), channels = twin_channels(config), map = tokens * channels;
    double *bag = numbers(map), *attended = numbers(map);
    double *pooled[CMUS_MODALITIES] = {numbers(channels), numbers(channels), numbers(channels)};
    for (int i = 0; i < one->tem_count; i++)
        for (int k = 0; k < map; k++)
            bag[k] += tem_weight[i] * maps[CMUS_TEM][i * map + k];
    mean_tokens(pooled[CMUS_TEM], bag, tokens, channels);
    for (int m = CMUS_OM; m <= CMUS_IM; m++) {
        twin_cross_attention(attended, w, "CrossAttn", bag, maps[m], tokens, channels, config->attention_heads,
                             config->attention == CMUS_ATTENTION_MULTIHEAD);
        mean_tokens(pooled[m], attended, tokens, channels);
    }
    twin_heads(config, w, channels, pooled, one->dropout, one->label, result);
    for (int m = 0; m < CMUS_MODALITIES; m++)
        cmus_free(pooled[m]);
    cmus_free(bag);
    cmus_free(attended);
}
