/* Tables of relative position biases for another window: Swin Transformers of larger images have larger windows. */
#ifndef CMUS_BIAS_TABLE_H
#define CMUS_BIAS_TABLE_H

#include <stdint.h>

/* Side of the square that the rows of a table make, 2 * window - 1; 0 if it is none. */
int cmus_bias_side(int64_t rows);

/* to [to_side * to_side][heads] from `from` [from_side * from_side][heads]: each head's square by
 * torch.nn.functional.interpolate(mode="bicubic", align_corners=False): Keys' kernel with A = -0.75, no smoothing where
 * it shrinks, edges repeated. In double. */
void cmus_bias_resize(const float *from, int from_side, float *to, int to_side, int heads);

#endif
