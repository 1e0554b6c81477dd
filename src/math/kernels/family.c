/* Compiled once for each processor family; CMakeLists.txt gives the flags, CMUS_KERNEL_TABLE and CMUS_KERNEL_NAME. */
#include "kernels.h"
#include "product.h"
#include "rows.h"
#include "window_head.h"

extern const cmus_kernels CMUS_KERNEL_TABLE;
const cmus_kernels CMUS_KERNEL_TABLE = {
    .name = CMUS_KERNEL_NAME,
    .product = &product_kernels,
    .row_statistics = row_statistics_kernel,
    .layernorm_forward = layernorm_forward,
    .layernorm_backward = layernorm_backward,
    .head_forward = head_forward,
    .head_backward = head_backward,
    .exact_add = exact_add,
    .exact_take = exact_take,
    .sum_of_squares = sum_of_squares,
    .adam = adam_kernel,
};
