/* Own cases through the networks, one network after another: its weights are the largest thing in memory. */
#include "cmus/predictor.h"

#include <math.h>
#include <string.h>

#include "cmus/augment.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/stop.h"
#include "predict_internal.h"

/* Cases go through the encoders in groups: a single OM or IM image would take almost as long for the packing of the
 * weights as for itself. What comes out does not depend on the group. */
static const size_t GROUP_BYTES = (size_t)64 << 20; /* of pixels */

/* A network with buffers for a group of cases. */
typedef struct worker {
    prediction_run *run;
    cmus_net *net;
    int member;
    int group;          /* cases at most */
    size_t pixels, map; /* floats of an image and of a map */
    float *planes;      /* [group][max_tem + 2][3][S][S]: those of the group that are there, sorted by modality */
    float *sorted;      /* their maps */
    float *maps;        /* [group][max_tem + 2][map]: of each case TEM images, OM, IM */
} worker;

/* What a pass over the cases is for. */
typedef struct pass {
    bool predict, explain;
} pass;

/* An image of a group. */
typedef struct group_image {
    cmus_modality modality;
    const uint8_t *rgb;
    float *map; /* where its map belongs */
} group_image;

/* The images of own case number `number` that are there; its maps are those of place `place` in the group. */
static void list_images(const worker *w, int number, int place, const uint8_t *rgb, group_image *images, int *count) {
    const cmus_case_prediction *prediction = &w->run->own[number].prediction;
    cmus_case_facts facts = cmus_case_source_case(w->run->source, prediction->index);
    float *maps = w->maps + (size_t)place * ((size_t)w->run->max_tem + 2) * w->map;
    for (int i = 0; i < prediction->tem_count + 2; i++) {
        cmus_modality modality = i < prediction->tem_count ? CMUS_TEM : i == prediction->tem_count ? CMUS_OM : CMUS_IM;
        if (facts.has[modality])
            images[(*count)++] = (group_image){modality, rgb + (size_t)i * w->pixels, maps + (size_t)i * w->map};
    }
}

/* Maps of the listed images, where they belong; 0 for an image that is missing, which no head that is known looks at.
 */
static void encode(worker *w, const group_image *images, int count) {
    cmus_image *list = cmus_allocate((size_t)count, sizeof *list);
    float **to = cmus_allocate((size_t)count, sizeof *to);
    int sorted = 0;
    for (int m = 0; m < CMUS_MODALITIES; m++)
        for (int i = 0; i < count; i++) {
            if (images[i].modality != (cmus_modality)m)
                continue;
            float *planes = w->planes + (size_t)sorted * w->pixels;
            cmus_normalize_image(images[i].rgb, w->run->image_size, (cmus_flips){false, false}, planes);
            list[sorted] = (cmus_image){.modality = images[i].modality, .pixels = planes};
            to[sorted++] = images[i].map;
        }
    memset(w->maps, 0, (size_t)w->group * ((size_t)w->run->max_tem + 2) * w->map * sizeof *w->maps);
    cmus_net_encoding_free(cmus_net_encode(w->net, list, count, CMUS_KEEP_NOTHING, NULL, w->sorted));
    for (int i = 0; i < count; i++)
        memcpy(to[i], w->sorted + (size_t)i * w->map, w->map * sizeof *w->sorted);
    cmus_free(to);
    cmus_free(list);
}

/* DATA if what the network says is no number: weights that overflow must not become a diagnosis. */
static cmus_status check_finite(const worker *w, const own_case *own, const cmus_case_result *result) {
    bool finite = isfinite(result->mean_distance);
    for (int head = 0; head < CMUS_HEADS; head++)
        for (int c = 0; c < w->run->classes && own->prediction.known[head]; c++)
            finite = finite && isfinite(result->probabilities[head][c]);
    if (finite)
        return CMUS_OK;
    return cmus_fail(CMUS_ERROR_DATA, "%s: %s gives no finite probabilities for it",
                     cmus_case_source_case(w->run->source, own->prediction.index).case_id,
                     w->run->ensemble.members[w->member].path);
}

static cmus_status predict(worker *w, own_case *own, const float *maps) {
    cmus_case_prediction *prediction = &own->prediction;
    size_t tem = (size_t)prediction->tem_count;
    cmus_case_result *result = &prediction->each[w->member];
    *result = (cmus_case_result){.tem_weight = cmus_allocate(tem, sizeof(float)),
                                 .tem_distance = cmus_allocate(tem, sizeof(float)),
                                 .tem_kept = cmus_allocate(tem, sizeof(bool))};
    cmus_case one = {.tem_count = prediction->tem_count};
    cmus_net_fuse(w->net, &one, 1, maps, 0, NULL, NULL, result);
    return check_finite(w, own, result);
}

/* sum += values / the largest of them / members; nothing if all are 0. */
static void add_scaled(float *sum, const float *values, size_t count, int members) {
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    for (size_t i = 0; largest > 0 && i < count; i++)
        sum[i] += values[i] / largest / (float)members;
}

static void explain(worker *w, own_case *own, const float *maps) {
    const prediction_run *run = w->run;
    const cmus_case_prediction *prediction = &own->prediction;
    cmus_case one = {.tem_count = prediction->tem_count};
    cmus_head head = prediction->known[CMUS_HEAD_FUSION] ? CMUS_HEAD_FUSION : CMUS_HEAD_TEM;
    cmus_explanation found, *mean = &own->explanation;
    own->explained = run->explained >= 0 ? run->explained : prediction->predicted;
    cmus_explain(w->net, &one, maps, head, own->explained, &found);
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

/* A case that can't be predicted ends the run, or is left out if that was asked for. */
static cmus_status may_leave_out(worker *w, int number, cmus_status status) {
    prediction_run *run = w->run;
    if (status == CMUS_OK || !run->options->source.skip_errors)
        return status;
    run->own[number].prediction.failed = cmus_copy_string(cmus_last_error());
    cmus_warn("%s; the case is left out", cmus_last_error());
    return CMUS_OK;
}

static cmus_status one_case(worker *w, int number, int place, pass what) {
    prediction_run *run = w->run;
    own_case *own = &run->own[number];
    const float *maps = w->maps + (size_t)place * ((size_t)run->max_tem + 2) * w->map;
    if (what.predict)
        CMUS_TRY(may_leave_out(w, number, predict(w, own, maps)));
    if (own->prediction.failed)
        return CMUS_OK;
    if (what.predict && run->ensemble.count == 1)
        cmus_prediction_average(&own->prediction, 1, run->classes);
    if (what.explain)
        explain(w, own, maps);
    return CMUS_OK;
}

/* The own cases [first, first + count). */
static cmus_status one_group(worker *w, int first, int count, pass what) {
    prediction_run *run = w->run;
    group_image *images = cmus_allocate((size_t)count * ((size_t)run->max_tem + 2), sizeof *images);
    int image_count = 0;
    cmus_status status = CMUS_OK;
    cmus_case_pixels_let_go(run->pixels);
    for (int i = 0; i < count && status == CMUS_OK; i++) {
        const uint8_t *rgb;
        if (run->own[first + i].prediction.failed)
            continue;
        status = may_leave_out(w, first + i, cmus_case_pixels_get(run->pixels, first + i, &rgb));
        if (status == CMUS_OK && !run->own[first + i].prediction.failed)
            list_images(w, first + i, i, rgb, images, &image_count);
    }
    if (status == CMUS_OK && image_count > 0)
        encode(w, images, image_count);
    for (int i = 0; i < count && status == CMUS_OK; i++)
        if (!run->own[first + i].prediction.failed)
            status = one_case(w, first + i, i, what);
    cmus_free(images);
    return status;
}

static worker make_worker(prediction_run *run, cmus_net *net, int member) {
    size_t side = (size_t)run->image_size, images = (size_t)run->max_tem + 2;
    worker w = {.run = run, .net = net, .member = member, .pixels = 3 * side * side, .map = cmus_net_map_size(net)};
    size_t fit = GROUP_BYTES / (images * w.pixels * sizeof(float)), most = fit > 1 ? fit : 1;
    int groups = (int)(((size_t)run->own_count + most - 1) / most);
    w.group = groups ? (run->own_count + groups - 1) / groups : 1; /* all of about the same size */
    w.planes = cmus_allocate_raw((size_t)w.group * images * w.pixels, sizeof(float));
    w.sorted = cmus_allocate_raw((size_t)w.group * images * w.map, sizeof(float));
    w.maps = cmus_allocate_raw((size_t)w.group * images * w.map, sizeof(float));
    return w;
}

static cmus_status through_network(prediction_run *run, int member, pass what, cmus_progress *progress) {
    cmus_net *net;
    CMUS_TRY(cmus_ensemble_load(&run->ensemble, member, &net));
    worker w = make_worker(run, net, member);
    int64_t before = (int64_t)run->own_count * (member + (what.predict ? 0 : run->ensemble.count));
    cmus_status status = CMUS_OK;
    for (int first = 0; first < run->own_count && status == CMUS_OK; first += w.group) {
        int left = run->own_count - first, count = left < w.group ? left : w.group;
        status = one_group(&w, first, count, what);
        if (status == CMUS_OK)
            status = cmus_stop_check();
        cmus_progress_update(progress, before + first + count);
    }
    cmus_free(w.planes);
    cmus_free(w.sorted);
    cmus_free(w.maps);
    cmus_net_free(net);
    return status;
}

cmus_status cmus_predict_own(prediction_run *run) {
    /* A class that is known beforehand, or by the only network, needs no second way through the networks. */
    bool at_once = run->options->explain && (run->explained >= 0 || run->ensemble.count == 1);
    bool twice = run->options->explain && !at_once;
    int members = run->ensemble.count;
    cmus_progress progress;
    int64_t total = (int64_t)run->own_count * members * (twice ? 2 : 1);
    cmus_progress_begin(&progress, twice ? "predicted and explained" : "predicted",
                        members > 1 ? "times a case and a network" : "cases", total);
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
