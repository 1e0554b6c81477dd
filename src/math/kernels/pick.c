#include <stdlib.h>
#include <string.h>

#include "bfloat16.h"
#include "cmus/gemm.h"
#include "cmus/log.h"

#ifdef CMUS_BFLOAT16
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const cmus_kernels cmus_kernels_generic;
#ifdef CMUS_X86
extern const cmus_kernels cmus_kernels_avx2, cmus_kernels_avx512;
#endif

const cmus_kernels *cmus_kernels_named(const char *name) {
#ifdef CMUS_X86
    __builtin_cpu_init();
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return &cmus_kernels_avx512;
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &cmus_kernels_avx2;
#endif
    return strcmp(name, "generic") == 0 ? &cmus_kernels_generic : NULL;
}

static const cmus_kernels *choose(void) {
    const char *wanted = getenv("CMUS_KERNELS");
    if (wanted && *wanted) {
        const cmus_kernels *named = cmus_kernels_named(wanted);
        if (!named)
            cmus_fatal("CMUS_KERNELS=%s: not in this build or not for this processor; use avx512, avx2 or generic",
                       wanted);
        return named;
    }
    static const char *const best_first[] = {"avx512", "avx2"};
    for (size_t i = 0; i < sizeof best_first / sizeof best_first[0]; i++) {
        const cmus_kernels *found = cmus_kernels_named(best_first[i]);
        if (found)
            return found;
    }
    return &cmus_kernels_generic;
}

const cmus_kernels *cmus_kernels_pick(void) {
    static const cmus_kernels *picked; /* every thread would write the same value */
    const cmus_kernels *kernels = __atomic_load_n(&picked, __ATOMIC_ACQUIRE);
    if (!kernels) {
        kernels = choose();
        __atomic_store_n(&picked, kernels, __ATOMIC_RELEASE);
    }
    return kernels;
}

#ifdef CMUS_BFLOAT16
/* Of cpuid leaf 7. */
enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AVX512_BF16 = 1 << 5 };

/* Linux gives a process the large registers of AMX on demand only (Documentation/arch/x86/xstate.rst). */
static bool amx_permitted(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

const cmus_product_kernels *cmus_bfloat16_kernels(void) {
    unsigned a, b, c, features;
    if (cmus_kernels_pick() != &cmus_kernels_avx512 || !__get_cpuid_count(7, 0, &a, &b, &c, &features))
        return NULL;
    unsigned more = 0;
    __get_cpuid_count(7, 1, &more, &b, &c, &a);
    if (!(more & AVX512_BF16)) /* the operands are rounded by it for AMX too */
        return NULL;
    const char *wanted = getenv("CMUS_BFLOAT16");
    bool amx = features & AMX_BF16 && features & AMX_TILE && amx_permitted();
    if (!wanted || !*wanted)
        return amx ? &cmus_products_amx : &cmus_products_avx512_bfloat16;
    if (amx && strcmp(wanted, "amx") == 0)
        return &cmus_products_amx;
    return strcmp(wanted, "avx512") == 0 ? &cmus_products_avx512_bfloat16 : NULL;
}
#else
const cmus_product_kernels *cmus_bfloat16_kernels(void) {
    return NULL;
}
#endif

const char *cmus_kernels_description(void) {
    return cmus_kernels_pick()->name;
}
