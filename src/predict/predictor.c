/* Own cases through the networks, one network after another: its weights are the largest thing in memory. */
#include "cmus/predictor.h"

#include <math.h>
#include <string.h>

#include "cmus/augment.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/stop.h"
#include "predict_internal.h"

/* A network with buffers for one case. */
typedef struct worker {
    prediction_run *run;
    cmus_net *net;
    int member;
    float *planes; /* [max_tem + 2][3][S][S] */
    float *maps;   /* [max_tem + 2][map size] */
} worker;

/* What a pass over the cases is for. */
typedef struct pass {
    bool predict, explain;
} pass;

/* maps: TEM images, OM, IM; 0 for an image that is missing, which no head that is known looks at. */
static void encode(worker *w, const own_case *own, const uint8_t *rgb) {
    const prediction_run *run = w->run;
    cmus_case_facts facts = cmus_case_source_case(run->source, own->prediction.index);
    int tem = own->prediction.tem_count, images = tem + 2, count = 0;
    size_t side = (size_t)run->image_size, size = 3 * side * side, map = cmus_net_map_size(w->net);
    cmus_image *list = cmus_allocate((size_t)images, sizeof *list);
    int *place = cmus_allocate((size_t)images, sizeof *place);
    for (int i = 0; i < images; i++) {
        cmus_modality modality = i < tem ? CMUS_TEM : i == tem ? CMUS_OM : CMUS_IM;
        if (!facts.has[modality])
            continue;
        float *planes = w->planes + (size_t)count * size;
        cmus_normalize_image(rgb + (size_t)i * size, run->image_size, (cmus_flips){false, false}, planes);
        list[count] = (cmus_image){.modality = modality, .pixels = planes};
        place[count++] = i;
    }
    memset(w->maps, 0, (size_t)images * map * sizeof *w->maps);
    cmus_net_encoding_free(cmus_net_encode(w->net, list, count, CMUS_KEEP_NOTHING, NULL, w->maps));
    for (int i = count - 1; i >= 0; i--) /* from the last on, as maps move to the back only */
        if (place[i] != i) {
            memcpy(w->maps + (size_t)place[i] * map, w->maps + (size_t)i * map, map * sizeof *w->maps);
            memset(w->maps + (size_t)i * map, 0, map * sizeof *w->maps);
        }
    cmus_free(list);
    cmus_free(place);
}

static void predict(worker *w, own_case *own) {
    cmus_case_prediction *prediction = &own->prediction;
    size_t tem = (size_t)prediction->tem_count;
    cmus_case_result *result = &prediction->each[w->member];
    *result = (cmus_case_result){.tem_weight = cmus_allocate(tem, sizeof(float)),
                                 .tem_distance = cmus_allocate(tem, sizeof(float)),
                                 .tem_kept = cmus_allocate(tem, sizeof(bool))};
    cmus_case one = {.tem_count = prediction->tem_count};
    cmus_net_fuse(w->net, &one, 1, w->maps, 0, NULL, NULL, result);
}

/* sum += values / the largest of them / members; nothing if all are 0. */
static void add_scaled(float *sum, const float *values, size_t count, int members) {
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    for (size_t i = 0; largest > 0 && i < count; i++)
        sum[i] += values[i] / largest / (float)members;
}

static void explain(worker *w, own_case *own) {
    const prediction_run *run = w->run;
    const cmus_case_prediction *prediction = &own->prediction;
    cmus_case one = {.tem_count = prediction->tem_count};
    cmus_head head = prediction->known[CMUS_HEAD_FUSION] ? CMUS_HEAD_FUSION : CMUS_HEAD_TEM;
    cmus_explanation found, *mean = &own->explanation;
    own->explained = run->explained >= 0 ? run->explained : prediction->predicted;
    cmus_explain(w->net, &one, w->maps, head, own->explained, &found);
    size_t tokens = (size_t)(found.side * found.side);
    if (mean->side == 0)
        mean->side = found.side, mean->tem_count = found.tem_count;
    for (int m = 0; m < CMUS_MODALITIES; m++) {
        size_t count = tokens * (m == CMUS_TEM ? (size_t)found.tem_count : 1);
        if (!mean->heat[m])
            mean->heat[m] = cmus_allocate(count, sizeof(float));
        add_scaled(mean->heat[m], found.heat[m], count, run->ensemble.count);
        if (!found.attention[m])
            continue;
        if (!mean->attention[m])
            mean->attention[m] = cmus_allocate(count, sizeof(float));
        for (size_t i = 0; i < count; i++)
            mean->attention[m][i] += found.attention[m][i] / (float)run->ensemble.count;
    }
    cmus_explanation_free(&found);
}

/* A case whose images can't be read ends the run, or is left out if that was asked for. */
static cmus_status one_case(worker *w, int number, pass what) {
    prediction_run *run = w->run;
    own_case *own = &run->own[number];
    if (own->prediction.failed)
        return CMUS_OK;
    const uint8_t *rgb;
    cmus_status status = cmus_case_pixels_get(run->pixels, number, &rgb);
    if (status != CMUS_OK && run->options->source.skip_errors) {
        own->prediction.failed = cmus_copy_string(cmus_last_error());
        cmus_warn("%s; the case is left out", cmus_last_error());
        return CMUS_OK;
    }
    CMUS_TRY(status);
    encode(w, own, rgb);
    if (what.predict)
        predict(w, own);
    if (what.predict && run->ensemble.count == 1)
        cmus_prediction_average(&own->prediction, 1, run->classes);
    if (what.explain)
        explain(w, own);
    return CMUS_OK;
}

static cmus_status through_network(prediction_run *run, int member, pass what, cmus_progress *progress) {
    size_t side = (size_t)run->image_size, images = (size_t)run->max_tem + 2;
    worker w = {.run = run, .member = member};
    CMUS_TRY(cmus_ensemble_load(&run->ensemble, member, &w.net));
    w.planes = cmus_allocate_raw(images * 3 * side * side, sizeof(float));
    w.maps = cmus_allocate_raw(images * cmus_net_map_size(w.net), sizeof(float));
    cmus_status status = CMUS_OK;
    int64_t before =
        (int64_t)member * run->own_count + (what.predict ? 0 : (int64_t)run->ensemble.count * run->own_count);
    for (int i = 0; i < run->own_count && status == CMUS_OK; i++) {
        status = one_case(&w, i, what);
        if (status == CMUS_OK)
            status = cmus_stop_check();
        cmus_progress_update(progress, before + i + 1);
    }
    cmus_free(w.planes);
    cmus_free(w.maps);
    cmus_net_free(w.net);
    return status;
}

cmus_status cmus_predict_own(prediction_run *run) {
    /* A class that is known beforehand, or by the only network, needs no second way through the networks. */
    bool at_once = run->options->explain && (run->explained >= 0 || run->ensemble.count == 1);
    bool twice = run->options->explain && !at_once;
    int members = run->ensemble.count;
    cmus_progress progress;
    int64_t total = (int64_t)run->own_count * members * (twice ? 2 : 1);
    cmus_progress_begin(&progress, "predicted", members > 1 ? "cases of networks" : "cases", total);
    for (int m = 0; m < members; m++)
        CMUS_TRY(through_network(run, m, (pass){.predict = true, .explain = at_once}, &progress));
    for (int i = 0; i < run->own_count && members > 1; i++)
        if (!run->own[i].prediction.failed)
            cmus_prediction_average(&run->own[i].prediction, members, run->classes);
    for (int m = 0; twice && m < members; m++)
        CMUS_TRY(through_network(run, m, (pass){.explain = true}, &progress));
    cmus_progress_end(&progress, total);
    return CMUS_OK;
}
