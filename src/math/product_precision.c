/* In what the operands of the large products are kept. */
#include "cmus/gemm.h"
#include "cmus/product.h"

/* Until there are products in bfloat16, no processor has them. */
__attribute__((weak)) cmus_status cmus_products_precision(cmus_precision precision) {
    if (precision == CMUS_PRECISION_FP32)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_CONFIG,
                     "precision: bf16 needs a processor with AVX512-BF16 or AMX, which the %s kernels that were picked "
                     "here do without; fp32 works everywhere",
                     cmus_kernels_description());
}

__attribute__((weak)) const char *cmus_products_description(void) {
    return "float32";
}
