/* Twins of src/math. */
#include <math.h>
#include <string.h>

#include "cmus/memory.h"
#include "twins.h"

void twin_linear(double *out, const double *in, const double *weight, const double *bias, int rows, int inputs,
                 int outputs) {
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < outputs; o++) {
            double sum = bias ? bias[o] : 0;
#pragma omp simd reduction(+ : sum)
            for (int i = 0; i < inputs; i++)
                sum += in[r * inputs + i] * weight[o * inputs + i];
            out[r * outputs + o] = sum;
        }
}

void twin_layernorm(double *out, const double *in, const double *gamma, const double *beta, int rows, int channels) {
    for (int r = 0; r < rows; r++) {
        const double *row = in + r * channels;
        double mean = 0, variance = 0;
        for (int c = 0; c < channels; c++)
            mean += row[c] / channels;
        for (int c = 0; c < channels; c++)
            variance += (row[c] - mean) * (row[c] - mean) / channels;
        for (int c = 0; c < channels; c++)
            out[r * channels + c] = (row[c] - mean) / sqrt(variance + 1e-5) * gamma[c] + beta[c];
    }
}

double twin_gelu(double x) {
    return x * 0.5 * (1 + erf(x / sqrt(2)));
}

double twin_gelu_slope(double x) {
    return 0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
}

/* Image of a stored row, and its row in the full array. */
static int image_of(const cmus_subset *rows, int row) {
    return rows ? row / rows->tokens : 0;
}

static int full_row(const cmus_subset *rows, int row) {
    if (!rows || !rows->images)
        return row;
    return rows->images[image_of(rows, row)] * rows->tokens + row % rows->tokens;
}

/* A stored row of an operand as its form asks. */
static void operand_row(double *out, const cmus_operand *operand, int row, int columns) {
    int full = full_row(operand->rows, row);
    for (int c = 0; c < columns; c++) {
        double x = (double)operand->values[full * operand->width + c];
        if (operand->form == CMUS_OPERAND_SCALED)
            x *= (double)operand->factor[image_of(operand->rows, row)];
        else if (operand->form == CMUS_OPERAND_LAYERNORM)
            x = (x - (double)operand->statistics[2 * full]) * (double)operand->statistics[2 * full + 1] *
                    (double)operand->gamma[c] +
                (double)operand->beta[c];
        else if (operand->form == CMUS_OPERAND_GELU)
            x = twin_gelu(x);
        out[c] = x;
    }
}

/* The operand as a matrix [rows][columns] of the product, whichever way it is stored. */
static double *operand_matrix(const cmus_operand *operand, int rows, int columns) {
    int stored = operand->transposed ? columns : rows, length = operand->transposed ? rows : columns;
    double *matrix = cmus_allocate((size_t)(rows * columns), sizeof *matrix);
    double *line = cmus_allocate((size_t)length, sizeof *line);
    for (int s = 0; s < stored; s++) {
        operand_row(line, operand, s, length);
        for (int c = 0; c < length; c++)
            matrix[operand->transposed ? c * columns + s : s * columns + c] = line[c];
    }
    cmus_free(line);
    return matrix;
}

/* What becomes of the product's element at (row, column). */
static void store_element(double *values, double *magnitude, const cmus_result *result, int row, int column,
                          double product, double terms) {
    int full = full_row(result->rows, row);
    int at = (result->form == CMUS_RESULT_RESIDUAL ? full : row) * result->width + column;
    double bias = result->bias ? (double)result->bias[column] : 0, old = values[at];
    double other = result->other ? (double)result->other[full * result->width + column] : 0;
    double factor = result->factor ? (double)result->factor[image_of(result->rows, row)] : 1;
    if (result->form == CMUS_RESULT_STORE) {
        values[at] = product + bias;
        magnitude[at] = terms + fabs(bias);
    } else if (result->form == CMUS_RESULT_ADD) {
        values[at] = old + product;
        magnitude[at] = fabs(old) + terms;
    } else if (result->form == CMUS_RESULT_RESIDUAL) {
        values[at] = other + factor * (product + bias);
        magnitude[at] = fabs(other) + fabs(factor) * (terms + fabs(bias));
    } else {
        values[at] = product * twin_gelu_slope(other);
        magnitude[at] = terms * fmax(1, fabs(twin_gelu_slope(other)));
    }
}

void twin_product(double *values, double *magnitude, double *left_sums, const cmus_operand *left,
                  const cmus_operand *right, const cmus_result *result, int m, int n, int k) {
    double *a = operand_matrix(left, m, k), *b = operand_matrix(right, k, n);
    double *row = cmus_allocate((size_t)n, sizeof *row), *terms = cmus_allocate((size_t)n, sizeof *terms);
    for (int i = 0; i < m; i++) {
        memset(row, 0, (size_t)n * sizeof *row);
        memset(terms, 0, (size_t)n * sizeof *terms);
        for (int l = 0; l < k; l++) {
            double factor = a[i * k + l];
            for (int j = 0; j < n; j++) {
                row[j] += factor * b[l * n + j];
                terms[j] += fabs(factor * b[l * n + j]);
            }
            if (left_sums)
                left_sums[i] += factor;
        }
        for (int j = 0; j < n; j++)
            store_element(values, magnitude, result, i, j, row[j], terms[j]);
    }
    cmus_free(a);
    cmus_free(b);
    cmus_free(row);
    cmus_free(terms);
}

void twin_softmax(double *row, int count) {
    double highest = row[0], sum = 0;
    for (int j = 1; j < count; j++)
        highest = fmax(highest, row[j]);
    for (int j = 0; j < count; j++)
        sum += row[j] = exp(row[j] - highest);
    for (int j = 0; j < count; j++)
        row[j] /= sum;
}

enum { WINDOW = 7, TOKENS = 49 };

/* The number of the slice that a position of the rolled map lies in: torchvision's (0, -7), (-7, -shift), (-shift,
 * None), of which a later one overwrites an earlier one. */
static int slice_of(int position, int size, int shift) {
    int begin[3] = {0, size - WINDOW, shift ? size - shift : 0},
        end[3] = {size - WINDOW, shift ? size - shift : 0, size};
    int found = -1;
    for (int s = 0; s < 3; s++)
        if (position >= begin[s] && position < end[s])
            found = s;
    return found;
}

/* One head of one window: token t's row of qkv is rows[t], its region region[t]. */
static void attend_window(double *out, const double *const *rows, const int *region, const double *table, int channels,
                          int heads, int head) {
    int width = channels / heads;
    double scale = pow(width, -0.5);
    for (int i = 0; i < TOKENS; i++) {
        double scores[TOKENS];
        for (int j = 0; j < TOKENS; j++) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int c = head * width; c < (head + 1) * width; c++)
                sum += rows[i][c] * scale * rows[j][channels + c];
            int relative = (i / WINDOW - j / WINDOW + 6) * 13 + i % WINDOW - j % WINDOW + 6;
            scores[j] = sum + table[relative * heads + head] + (region[i] != region[j] ? -100.0 : 0.0);
        }
        twin_softmax(scores, TOKENS);
        memset(out + i * channels + head * width, 0, (size_t)width * sizeof *out);
        for (int j = 0; j < TOKENS; j++)
            for (int c = head * width; c < (head + 1) * width; c++)
                out[i * channels + c] += scores[j] * rows[j][2 * channels + c];
    }
}

void twin_window_attention_padded(double *out, const double *qkv, const double *table, int height, int width,
                                  bool shifted, int channels, int heads) {
    int shift_rows = shifted && height > WINDOW ? 3 : 0, shift_columns = shifted && width > WINDOW ? 3 : 0;
    double *mixed = cmus_allocate(TOKENS * (size_t)channels, sizeof *mixed);
    for (int top = 0; top < height; top += WINDOW)
        for (int left = 0; left < width; left += WINDOW) {
            const double *rows[TOKENS];
            int place[TOKENS], region[TOKENS];
            for (int t = 0; t < TOKENS; t++) {
                int row = top + t / WINDOW, column = left + t % WINDOW; /* in the rolled map */
                place[t] = (row + shift_rows) % height * width + (column + shift_columns) % width;
                rows[t] = qkv + place[t] * 3 * channels;
                region[t] = slice_of(row, height, shift_rows) * 3 + slice_of(column, width, shift_columns);
            }
            for (int h = 0; h < heads; h++)
                attend_window(mixed, rows, region, table, channels, heads, h);
            for (int t = 0; t < TOKENS; t++)
                memcpy(out + place[t] * channels, mixed + t * channels, (size_t)channels * sizeof *out);
        }
    cmus_free(mixed);
}

void twin_window_attention(double *out, const double *qkv, const double *qkv_bias, const double *table, int height,
                           int width, bool shifted, int channels, int heads) {
    int high = (height + WINDOW - 1) / WINDOW * WINDOW, wide = (width + WINDOW - 1) / WINDOW * WINDOW;
    size_t tokens = (size_t)(high * wide), row = (size_t)channels * sizeof(double);
    double *padded = cmus_allocate(tokens * 3 * (size_t)channels, sizeof *padded);
    double *mixed = cmus_allocate(tokens * (size_t)channels, sizeof *mixed);
    for (int r = 0; r < high; r++)
        for (int c = 0; c < wide; c++)
            memcpy(padded + (r * wide + c) * 3 * channels,
                   r < height && c < width ? qkv + (r * width + c) * 3 * channels : qkv_bias, 3 * row);
    twin_window_attention_padded(mixed, padded, table, high, wide, shifted, channels, heads);
    for (int r = 0; r < height; r++)
        for (int c = 0; c < width; c++)
            memcpy(out + (r * width + c) * channels, mixed + (r * wide + c) * channels, row);
    cmus_free(padded);
    cmus_free(mixed);
}

void twin_adam(const cmus_adam *adam, int step, size_t count, double *weights, const double *gradient, double *first,
               double *second, double *second_max) {
    for (size_t i = 0; i < count; i++) {
        double g = gradient[i] + adam->weight_decay * weights[i];
        first[i] = adam->beta1 * first[i] + (1 - adam->beta1) * g;
        second[i] = adam->beta2 * second[i] + (1 - adam->beta2) * g * g;
        second_max[i] = fmax(second_max[i], second[i]);
        double denominator = sqrt(second_max[i]) / sqrt(1 - pow(adam->beta2, step)) + adam->epsilon;
        weights[i] -= adam->lr / (1 - pow(adam->beta1, step)) * first[i] / denominator;
    }
}
