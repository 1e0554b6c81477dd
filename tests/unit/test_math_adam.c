/* Adam against torch.optim.Adam's formulas in double. */
#include <math.h>

#include "cmus/memory.h"
#include "twin_check.h"
#include "twins.h"
#include "unit_family.h"

enum { COUNT = 40000 /* several blocks of the fused pass, the last one shorter */, STEPS = 6 };

static void follows_torch(const cmus_adam *adam) {
    twin_values weights = twin_values_make(COUNT, "weights", 0, 0.5), moments[3];
    for (int m = 0; m < 3; m++)
        moments[m] = twin_values_make(COUNT, "zero", 0, 0);
    for (int step = 1; step <= STEPS; step++) {
        twin_values gradient = twin_values_make(COUNT, step % 2 ? "odd" : "even", 0, step == 2 ? 3 : 0.3);
        for (int i = 0; i < COUNT; i += 7) {
            gradient.f[i] *= 1e-6f; /* where eps counts */
            gradient.d[i] = (double)gradient.f[i];
        }
        cmus_adam_update(adam, step, COUNT, weights.f, gradient.f, moments[0].f, moments[1].f, moments[2].f);
        int kept = 0;
        for (int i = 0; i < COUNT; i++)
            kept += gradient.f[i] != 0;
        CU_ASSERT_EQUAL(kept, 0);
        twin_adam(adam, step, COUNT, weights.d, gradient.d, moments[0].d, moments[1].d, moments[2].d);
        twin_values_free(&gradient);
    }
    CU_ASSERT(twin_close("first moment", moments[0].f, moments[0].d, COUNT, 1e-6));
    CU_ASSERT(twin_close("second moment", moments[1].f, moments[1].d, COUNT, 1e-6));
    CU_ASSERT(twin_close("largest second moment", moments[2].f, moments[2].d, COUNT, 1e-6));
    CU_ASSERT(twin_close("weights", weights.f, weights.d, COUNT, 1e-7));
    /* what the updates moved, with the rounding of the weights themselves */
    twin_values moved = twin_values_make(COUNT, "weights", 0, 0.5);
    for (int i = 0; i < COUNT; i++) {
        moved.f[i] = weights.f[i] - moved.f[i];
        moved.d[i] = weights.d[i] - moved.d[i];
    }
    CU_ASSERT(twin_close("way of the weights", moved.f, moved.d, COUNT, 1e-6 + 1e-7 / adam->lr));
    bool older = false; /* amsgrad: some maximum is older than the last step */
    for (int i = 0; i < COUNT; i++)
        older = older || moments[2].f[i] > moments[1].f[i];
    CU_ASSERT(older);
    twin_values_free(&moved);
    twin_values_free(&weights);
    for (int m = 0; m < 3; m++)
        twin_values_free(&moments[m]);
}

static void published_settings(void) {
    cmus_adam adam = cmus_adam_published();
    CU_ASSERT_EQUAL(adam.lr, 5e-5);
    CU_ASSERT_EQUAL(adam.beta1, 0.9);
    CU_ASSERT_EQUAL(adam.beta2, 0.999);
    CU_ASSERT_EQUAL(adam.epsilon, 1e-8);
    CU_ASSERT_EQUAL(adam.weight_decay, 5e-5);
    follows_torch(&adam);
}

static void large_settings(void) {
    cmus_adam adam = {.lr = 0.02, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.3};
    follows_torch(&adam);
}

static void not_a_number_comes_out(void) {
    cmus_adam adam = cmus_adam_published();
    float weights[40] = {0}, gradient[40] = {0}, first[40] = {0}, second[40] = {0}, most[40] = {0};
    gradient[17] = NAN;
    cmus_adam_update(&adam, 1, 40, weights, gradient, first, second, most);
    for (int i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(isnan(weights[i]) != 0, i == 17);
}

int main(void) {
    static const unit_test tests[] = {
        {"published settings", published_settings},
        {"large settings", large_settings},
        {"not a number comes out", not_a_number_comes_out},
    };
    return unit_family_main("math: Adam", tests, sizeof tests / sizeof tests[0]);
}
