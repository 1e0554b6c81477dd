/* What each case shows: its class, its deposits, and which of its images are of use. */
#include <math.h>
#include <stddef.h>

#include "cmus/memory.h"
#include "phantom.h"

/* The difficulty of the data set: how often an image can't tell the diagnosis. Command-line options override them. */
static const double IM_FADED = 0.3;
static const double TEM_PARTIAL = 0.35;
static const double OFF_TARGET = 0.15;
static const double TEM_SPARED = 0;
static const double OM_CUE = 2.0;
/* Of the partial TEM bags: only loops, only mesangium; the rest is blurred or off target throughout. */
static const double PARTIAL_LOOP = 0.33, PARTIAL_MESANGIUM = 0.33;
/* Of the IM images that show no place: faded; the rest is out of focus. */
static const double FADED = 0.5;
/* Deposits in all, and the mesangial part of them in lupus. */
static const double AMOUNT_LOW = 0.65, AMOUNT_HIGH = 1.35;
static const double MIXED_LOW = 0.42, MIXED_HIGH = 0.58;

const char *const phantom_class_names[PHANTOM_CLASSES] = {"IgAN", "MN", "LN"};
const char *const phantom_quality_names[PHANTOM_QUALITIES] = {"good",           "faded",       "unfocused", "loop_only",
                                                              "mesangium_only", "no_membrane", "grid_bar"};

phantom_options phantom_defaults(void) {
    return (phantom_options){.cases = 300,
                             .size = 224,
                             .bag_min = 2,
                             .bag_max = 5,
                             .seed = 1,
                             .classes = {PHANTOM_IGAN, PHANTOM_MN, PHANTOM_LN},
                             .class_count = PHANTOM_CLASSES,
                             .two_cases = 0.03,
                             .im_faded = IM_FADED,
                             .tem_partial = TEM_PARTIAL,
                             .off_target = OFF_TARGET,
                             .tem_spared = TEM_SPARED,
                             .om_cue = OM_CUE};
}

bool phantom_on_target(phantom_quality quality) {
    return quality == PHANTOM_GOOD || quality == PHANTOM_LOOP_ONLY || quality == PHANTOM_MESANGIUM_ONLY;
}

static phantom_quality draw_off_target(cmus_random *random) {
    static const phantom_quality kinds[] = {PHANTOM_UNFOCUSED, PHANTOM_NO_MEMBRANE, PHANTOM_GRID_BAR};
    return kinds[cmus_random_below(random, 3)];
}

/* What the on-target images of the case show; an off-target kind says that there are none. */
static phantom_quality draw_bag_quality(const phantom_options *options, cmus_random *random) {
    bool partial = cmus_random_uniform(random) < options->tem_partial;
    double kind = cmus_random_uniform(random);
    if (!partial)
        return PHANTOM_GOOD;
    if (kind < PARTIAL_LOOP)
        return PHANTOM_LOOP_ONLY;
    return kind < PARTIAL_LOOP + PARTIAL_MESANGIUM ? PHANTOM_MESANGIUM_ONLY : PHANTOM_NO_MEMBRANE;
}

static void plan_bag(const phantom_options *options, phantom_case *plan) {
    cmus_random random = cmus_random_begin(options->seed, "phantom bag", &plan->index, 1);
    plan->tem_count =
        options->bag_min + (int)cmus_random_below(&random, (uint64_t)(options->bag_max - options->bag_min + 1));
    phantom_quality quality = draw_bag_quality(options, &random);
    /* A bag that is not spoilt as a whole has an image that shows it, wherever it lies. */
    int sure = (int)cmus_random_below(&random, (uint64_t)plan->tem_count);
    for (int i = 0; i < plan->tem_count; i++) {
        bool off = cmus_random_uniform(&random) < options->off_target && i != sure;
        phantom_quality other = draw_off_target(&random);
        plan->tem[i] = off || !phantom_on_target(quality) ? other : quality;
    }
}

static void plan_case(const phantom_options *options, phantom_case *plan) {
    cmus_random random = cmus_random_begin(options->seed, "phantom case", &plan->index, 1);
    plan->class = options->classes[plan->index % (uint64_t)options->class_count];
    plan->amount = cmus_random_between(&random, AMOUNT_LOW, AMOUNT_HIGH);
    double mixed = cmus_random_between(&random, MIXED_LOW, MIXED_HIGH);
    plan->mesangial = plan->class == PHANTOM_IGAN ? 1 : plan->class == PHANTOM_MN ? 0 : mixed;
    bool useless = cmus_random_uniform(&random) < options->im_faded;
    bool faded = cmus_random_uniform(&random) < FADED;
    plan->im = !useless ? PHANTOM_GOOD : faded ? PHANTOM_FADED : PHANTOM_UNFOCUSED;
    plan_bag(options, plan);
}

phantom_case *phantom_plan(const phantom_options *options) {
    phantom_case *cases = cmus_allocate((size_t)options->cases, sizeof *cases);
    bool second = false; /* this case is the second one of the patient before */
    int patient = 0;
    for (int i = 0; i < options->cases; i++) {
        uint64_t index = (uint64_t)i;
        uint64_t key = cmus_random_key(options->seed, "phantom patient", &index, 1);
        /* Neighbours differ in class unless there is one class only, whose folders can't hold a patient twice. */
        second = i > 0 && !second && options->class_count > 1 && cmus_uniform_at(key, 0) < options->two_cases;
        patient += !second;
        cases[i].index = index;
        cases[i].patient = patient;
        plan_case(options, &cases[i]);
    }
    return cases;
}
