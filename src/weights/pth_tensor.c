#include "pth_tensor.h"

#include <string.h>

void cmus_pth_swap(void *elements, size_t count, size_t element_bytes) {
    uint8_t *at = elements;
    for (size_t i = 0; i < count; i++, at += element_bytes) {
        for (size_t low = 0, high = element_bytes - 1; low < high; low++, high--) {
            uint8_t kept = at[low];
            at[low] = at[high];
            at[high] = kept;
        }
    }
}

/* to [count]: every stride-th element. */
static void gather_row(const char *from, size_t element_bytes, size_t count, size_t stride, char *to) {
    if (stride == 1) {
        memcpy(to, from, count * element_bytes);
        return;
    }
    size_t step = stride * element_bytes;
    switch (element_bytes) { /* copies of a size that is known are single moves */
    case 2:
        for (size_t i = 0; i < count; i++)
            memcpy(to + 2 * i, from + i * step, 2);
        break;
    case 4:
        for (size_t i = 0; i < count; i++)
            memcpy(to + 4 * i, from + i * step, 4);
        break;
    default:
        for (size_t i = 0; i < count; i++)
            memcpy(to + element_bytes * i, from + i * step, element_bytes);
    }
}

/* How many of the last dimensions are one row, element after element. */
static int dense_dimensions(const cmus_stored_tensor *tensor, const cmus_pth_layout *layout) {
    int64_t expected = 1;
    int dense = 0;
    for (int i = tensor->dimensions; i-- > 0; dense++) {
        if (tensor->shape[i] != 1 && layout->stride[i] != expected)
            break;
        expected *= tensor->shape[i];
    }
    return dense;
}

void cmus_pth_gather(const void *storage, size_t element_bytes, const cmus_stored_tensor *tensor,
                     const cmus_pth_layout *layout, void *to) {
    if (tensor->elements == 0)
        return;
    int dense = dense_dimensions(tensor, layout), outer = tensor->dimensions - dense;
    size_t row = 1, stride = 1;
    for (int i = outer; i < tensor->dimensions; i++)
        row *= (size_t)tensor->shape[i];
    if (dense == 0 && outer > 0) { /* a row with steps */
        outer--;
        row = (size_t)tensor->shape[outer];
        stride = (size_t)layout->stride[outer];
    }
    int64_t index[CMUS_STORED_DIMENSIONS] = {0};
    size_t from = layout->offset;
    char *at = to;
    for (size_t done = 0; done < tensor->elements; done += row, at += row * element_bytes) {
        gather_row((const char *)storage + from * element_bytes, element_bytes, row, stride, at);
        for (int i = outer; i-- > 0;) { /* the next index, as a counter counts */
            from += (size_t)layout->stride[i];
            if (++index[i] < tensor->shape[i])
                break;
            from -= (size_t)layout->stride[i] * (size_t)tensor->shape[i];
            index[i] = 0;
        }
    }
}
