/* The two tables of bfloat16.c; kernels/pick.c knows which one the processor can run. */
#ifndef CMUS_KERNEL_BFLOAT16_H
#define CMUS_KERNEL_BFLOAT16_H

#include "kernels.h"

extern const cmus_product_kernels cmus_products_amx, cmus_products_avx512_bfloat16;

#endif
