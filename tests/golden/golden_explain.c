/* golden_explain FILE.h5: explanations of libcmus against those of PyTorch's autograd (make_explain_golden.py).
 *
 * Exit code 1 above the tolerances: heat of a head and class over all images of a case 1e-4 of the largest (exactly 0
 * where the reference is 0 everywhere), attention 1e-4 of the largest, logits 3e-5 x max(1, largest), enlarged maps
 * 1e-6.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/explanation.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "compare.h"
#include "golden_file.h"

static const double RELATIVE = 1e-4, LOGITS = 3e-5, ENLARGED = 1e-6;

typedef struct checker {
    hid_t file;
    golden_preset preset;
    const char *form;
    cmus_net *net;
    int index, failures; /* case */
    double worst_heat, worst_attention;
} checker;

/* One case on its way: its images' maps in the order of cmus_explain(). */
typedef struct mapped {
    cmus_case one;
    float *maps;
} mapped;

static mapped map_case(const checker *check) {
    mapped result = {.one = golden_case(&check->preset, check->net, 0, check->index)};
    int bag = result.one.tem_count, images = bag + 2;
    size_t pixels = 3 * (size_t)check->preset.net.image_size * (size_t)check->preset.net.image_size;
    cmus_image *list = cmus_allocate((size_t)images, sizeof *list);
    for (int i = 0; i < images; i++) {
        cmus_modality modality = i < bag ? CMUS_TEM : i == bag ? CMUS_OM : CMUS_IM;
        size_t within = modality == CMUS_TEM ? (size_t)i : 0;
        list[i] = (cmus_image){.modality = modality, .pixels = result.one.images[modality] + within * pixels};
    }
    result.maps = cmus_allocate_raw((size_t)images * cmus_net_map_size(check->net), sizeof *result.maps);
    cmus_net_encoding_free(cmus_net_encode(check->net, list, images, CMUS_KEEP_NOTHING, NULL, result.maps));
    cmus_free(list);
    return result;
}

/* Largest difference by the largest reference; complains above `tolerance`. */
static double check_values(checker *check, const char *what, const float *values, const double *reference, size_t count,
                           double tolerance) {
    double *wide = cmus_allocate(count, sizeof *wide), largest = 0;
    for (size_t i = 0; i < count; i++) {
        wide[i] = (double)values[i];
        largest = fmax(largest, fabs(reference[i]));
    }
    comparison c = compare_arrays(wide, reference, count);
    double error = c.largest == 0 ? 0 : c.largest / largest;
    if (!(error <= tolerance)) {
        check->failures++;
        printf("FAILED %s: off by %.3g of the largest at %zu (%.9g, reference %.9g), allowed %.3g\n", what, error,
               c.worst, c.value, c.reference, tolerance);
    }
    cmus_free(wide);
    return error;
}

static cmus_status read_of_case(const checker *check, const char *what, size_t count, char name[64], double **values) {
    snprintf(name, 64, "%s/case%d/%s", check->form, check->index, what);
    return golden_read(check->file, name, count, values);
}

/* The same network that is explained: else other heats would be no wonder. */
static cmus_status check_logits(checker *check, const mapped *m) {
    cmus_case_result result = {0};
    int classes = check->preset.net.classes;
    char name[64];
    double *reference, largest = 1;
    CMUS_TRY(read_of_case(check, "logits", (size_t)(CMUS_HEADS * classes), name, &reference));
    cmus_net_fuse(check->net, &m->one, 1, m->maps, 0, NULL, NULL, &result);
    for (int i = 0; i < CMUS_HEADS * classes; i++)
        largest = fmax(largest, fabs(reference[i]));
    for (int i = 0; i < CMUS_HEADS * classes; i++)
        if (!(fabs((double)result.logits[i / classes][i % classes] - reference[i]) <= LOGITS * largest)) {
            check->failures++;
            printf("FAILED %s: %.9g at %d, reference %.9g\n", name, (double)result.logits[i / classes][i % classes], i,
                   reference[i]);
        }
    cmus_free(reference);
    return CMUS_OK;
}

/* The heat of all images one after another, as the file has it. */
static float *all_heat(const cmus_explanation *explanation) {
    size_t tokens = (size_t)(explanation->side * explanation->side), bag = (size_t)explanation->tem_count;
    float *heat = cmus_allocate_raw((bag + 2) * tokens, sizeof *heat);
    memcpy(heat, explanation->heat[CMUS_TEM], bag * tokens * sizeof *heat);
    memcpy(heat + bag * tokens, explanation->heat[CMUS_OM], tokens * sizeof *heat);
    memcpy(heat + (bag + 1) * tokens, explanation->heat[CMUS_IM], tokens * sizeof *heat);
    return heat;
}

static cmus_status check_heat(checker *check, const mapped *m) {
    size_t tokens = (size_t)cmus_net_tokens(check->net), size = ((size_t)m->one.tem_count + 2) * tokens;
    int classes = check->preset.net.classes;
    char name[64], what[128];
    double *reference;
    CMUS_TRY(read_of_case(check, "heat", size * (size_t)(CMUS_HEADS * classes), name, &reference));
    for (int h = 0; h < CMUS_HEADS; h++)
        for (int k = 0; k < classes; k++) {
            cmus_explanation found;
            cmus_explain(check->net, &m->one, m->maps, (cmus_head)h, k, &found);
            float *heat = all_heat(&found);
            snprintf(what, sizeof what, "%s: %s head, class %d", name, cmus_head_names[h], k);
            double error =
                check_values(check, what, heat, reference + (size_t)(h * classes + k) * size, size, RELATIVE);
            check->worst_heat = fmax(check->worst_heat, error);
            cmus_free(heat);
            cmus_explanation_free(&found);
        }
    cmus_free(reference);
    return CMUS_OK;
}

static cmus_status check_attention(checker *check, const mapped *m) {
    size_t tokens = (size_t)cmus_net_tokens(check->net);
    char name[64];
    double *reference;
    cmus_explanation found;
    CMUS_TRY(read_of_case(check, "attention", 2 * tokens, name, &reference));
    cmus_explain(check->net, &m->one, m->maps, CMUS_HEAD_FUSION, 0, &found);
    for (size_t other = CMUS_OM; other <= CMUS_IM; other++) {
        double error =
            check_values(check, name, found.attention[other], reference + (other - CMUS_OM) * tokens, tokens, RELATIVE);
        check->worst_attention = fmax(check->worst_attention, error);
    }
    cmus_free(reference);
    cmus_explanation_free(&found);
    return CMUS_OK;
}

static cmus_status check_form(checker *check, cmus_attention attention) {
    cmus_net_config config = check->preset.net;
    config.attention = attention;
    check->form = attention == CMUS_ATTENTION_CMSA ? "cmsa" : "multihead";
    check->worst_heat = check->worst_attention = 0;
    CMUS_TRY(cmus_net_create(&config, false, &check->net));
    golden_parameters(cmus_net_parameters(check->net), check->preset.seed, cmus_net_weights(check->net));
    cmus_status status = CMUS_OK;
    for (check->index = 0; check->index < check->preset.cases && status == CMUS_OK; check->index++) {
        mapped m = map_case(check);
        status = check_logits(check, &m);
        if (status == CMUS_OK)
            status = check_heat(check, &m);
        if (status == CMUS_OK)
            status = check_attention(check, &m);
        cmus_free(m.maps);
        golden_case_free(&m.one);
    }
    printf("%s: %d cases, worst heat %.3g of the largest, worst attention %.3g\n", check->form, check->index,
           check->worst_heat, check->worst_attention);
    cmus_net_free(check->net);
    return status;
}

/* What the file has of the map on size x size pixels: every STEP-th row and column. */
static cmus_status check_enlarged(checker *check, int size) {
    enum { SIDE = 7, STEP = 5 };
    int kept = (size + STEP - 1) / STEP;
    char name[64];
    double *map, *reference;
    float narrow[SIDE * SIDE];
    snprintf(name, sizeof name, "enlarged/%d", size);
    CMUS_TRY(golden_read(check->file, "enlarged/map", SIDE * SIDE, &map));
    for (int i = 0; i < SIDE * SIDE; i++)
        narrow[i] = (float)map[i];
    cmus_free(map);
    CMUS_TRY(golden_read(check->file, name, (size_t)(kept * kept), &reference));
    float *pixels = cmus_allocate((size_t)(size * size), sizeof *pixels);
    float *picked = cmus_allocate((size_t)(kept * kept), sizeof *picked);
    cmus_enlarge_map(narrow, SIDE, size, pixels);
    for (int i = 0; i < kept * kept; i++)
        picked[i] = pixels[i / kept * STEP * size + i % kept * STEP];
    check_values(check, name, picked, reference, (size_t)(kept * kept), ENLARGED);
    cmus_free(picked);
    cmus_free(pixels);
    cmus_free(reference);
    return CMUS_OK;
}

static cmus_status check_file(const char *path, int *failures) {
    checker check = {0};
    CMUS_TRY(golden_open(path, &check.file, &check.preset));
    cmus_status status = check_form(&check, CMUS_ATTENTION_CMSA);
    if (status == CMUS_OK)
        status = check_form(&check, CMUS_ATTENTION_MULTIHEAD);
    for (int size = 224; size >= 196 && status == CMUS_OK; size -= 28)
        status = check_enlarged(&check, size);
    H5Fclose(check.file);
    *failures = check.failures;
    return status;
}

int main(int argc, char **argv) {
    cmus_program_begin("golden_explain");
    if (argc != 2) {
        fprintf(stderr, "usage: golden_explain FILE.h5\n");
        return 2;
    }
    int failures = 0;
    cmus_status status = check_file(argv[1], &failures);
    if (status != CMUS_OK)
        return cmus_program_end(status);
    printf("%s: %s\n", argv[1], failures ? "FAILED" : "passed");
    return failures ? 1 : 0;
}
