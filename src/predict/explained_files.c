/* OUT/explain: a picture, a page and the maps of each case. */
#include <ctype.h>
#include <string.h>

#include "cmus/case_picture.h"
#include "cmus/memory.h"
#include "cmus/prediction_table.h"
#include "cmus/safetensors.h"
#include "predict_internal.h"

enum { NAME_LETTERS = 60 };

char *cmus_explained_name(const prediction_run *run, int index) {
    char name[NAME_LETTERS + 1];
    const char *id = cmus_case_source_case(run->source, index).case_id;
    size_t length = 0;
    for (; id[length] && length < NAME_LETTERS; length++) { /* the number before it makes it unique */
        unsigned char letter = (unsigned char)id[length];
        name[length] = isascii(letter) && (isalnum(letter) || strchr("._-", letter)) ? (char)letter : '_';
    }
    name[length] = 0;
    return cmus_format_string("%05d-%s", index, name);
}

static const char *const head_labels[CMUS_HEADS] = {
    [CMUS_HEAD_FUSION] = "fusion", [CMUS_HEAD_OM] = "OM", [CMUS_HEAD_IM] = "IM", [CMUS_HEAD_TEM] = "TEM"};

/* What a picture points to. */
typedef struct drawing {
    cmus_case_picture picture;
    const char *classes[CMUS_MAX_CLASSES];
    cmus_picture_head heads[CMUS_HEADS];
    cmus_picture_image *tem;
    char **names; /* [tem_count + 2]: TEM images, OM, IM */
} drawing;

static void add_heads(const prediction_run *run, const cmus_case_prediction *prediction, drawing *d) {
    for (int h = 0; h < CMUS_HEADS; h++) {
        cmus_head head = cmus_prediction_heads[h];
        d->heads[h] = (cmus_picture_head){.name = head_labels[head],
                                          .known = prediction->known[head],
                                          .probabilities = prediction->probabilities[head],
                                          .spread = run->ensemble.count > 1 ? prediction->spread[head] : NULL};
    }
}

static cmus_picture_image single_image(const prediction_run *run, const own_case *own, cmus_modality modality,
                                       const char *name, const uint8_t *rgb) {
    bool has = cmus_case_source_case(run->source, own->prediction.index).has[modality];
    return (cmus_picture_image){.name = name,
                                .rgb = has ? rgb : NULL,
                                .heat = own->explanation.heat[modality],
                                .attention = own->explanation.attention[modality],
                                .kept = true};
}

/* rgb: TEM images, OM, IM. */
static void begin_drawing(const prediction_run *run, const own_case *own, const uint8_t *rgb, drawing *d) {
    const cmus_case_prediction *prediction = &own->prediction;
    cmus_case_facts facts = cmus_case_source_case(run->source, prediction->index);
    size_t image = 3 * (size_t)run->image_size * (size_t)run->image_size, tem = (size_t)prediction->tem_count;
    size_t tokens = (size_t)(own->explanation.side * own->explanation.side);
    *d = (drawing){.tem = cmus_allocate(tem, sizeof *d->tem), .names = cmus_allocate(tem + 2, sizeof *d->names)};
    for (int i = 0; i < prediction->tem_count + 2; i++) {
        cmus_image_kind kind = i < prediction->tem_count    ? CMUS_IMAGE_TEM
                               : i == prediction->tem_count ? CMUS_IMAGE_OM
                                                            : CMUS_IMAGE_IM;
        d->names[i] = facts.has[kind] ? cmus_case_source_image_name(run->source, prediction->index, kind,
                                                                    kind == CMUS_IMAGE_TEM ? i : 0)
                                      : cmus_copy_string("");
    }
    for (size_t i = 0; i < tem; i++)
        d->tem[i] = (cmus_picture_image){.name = d->names[i],
                                         .rgb = rgb + i * image,
                                         .heat = own->explanation.heat[CMUS_TEM] + i * tokens,
                                         .weight = (double)prediction->tem_weight[i],
                                         .distance = (double)prediction->tem_distance[i],
                                         .kept = prediction->tem_kept[i]};
    for (int c = 0; c < run->classes; c++)
        d->classes[c] = run->ensemble.members[0].config.classes[c];
    add_heads(run, prediction, d);
    bool fusion = prediction->known[CMUS_HEAD_FUSION];
    d->picture = (cmus_case_picture){.case_id = facts.case_id,
                                     .patient_id = facts.patient_id,
                                     .class_name = facts.class_name,
                                     .class_count = run->classes,
                                     .classes = d->classes,
                                     .predicted = prediction->predicted,
                                     .explained = own->explained,
                                     .explained_head = fusion ? "fusion" : "TEM",
                                     .models = run->ensemble.count,
                                     .head_count = CMUS_HEADS,
                                     .heads = d->heads,
                                     .size = run->image_size,
                                     .side = own->explanation.side,
                                     .om = single_image(run, own, CMUS_OM, d->names[tem], rgb + tem * image),
                                     .im = single_image(run, own, CMUS_IM, d->names[tem + 1], rgb + (tem + 1) * image),
                                     .tem_count = prediction->tem_count,
                                     .tem = d->tem,
                                     .mean_distance = prediction->mean_distance};
}

static void end_drawing(drawing *d) {
    for (int i = 0; i < d->picture.tem_count + 2; i++)
        cmus_free(d->names[i]);
    cmus_free(d->names);
    cmus_free(d->tem);
}

/* The maps as they are drawn, before they are enlarged; none of a modality that the case lacks. */
static cmus_status write_maps(const prediction_run *run, const own_case *own, const char *path) {
    static const struct {
        const char *name;
        cmus_modality modality;
        bool attention;
    } maps[] = {{"heat.om", CMUS_OM, false},
                {"heat.im", CMUS_IM, false},
                {"attention.om", CMUS_OM, true},
                {"attention.im", CMUS_IM, true}};
    const cmus_explanation *found = &own->explanation;
    cmus_case_facts facts = cmus_case_source_case(run->source, own->prediction.index);
    cmus_tensor_source tensors[5];
    size_t count = 0;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (facts.has[maps[i].modality])
            tensors[count++] = (cmus_tensor_source){.name = maps[i].name,
                                                    .type = "F32",
                                                    .dimensions = 2,
                                                    .shape = {found->side, found->side},
                                                    .data = maps[i].attention ? found->attention[maps[i].modality]
                                                                              : found->heat[maps[i].modality]};
    tensors[count++] = (cmus_tensor_source){.name = "heat.tem",
                                            .type = "F32",
                                            .dimensions = 3,
                                            .shape = {found->tem_count, found->side, found->side},
                                            .data = found->heat[CMUS_TEM]};
    const cmus_text_pair pairs[] = {{"case_id", facts.case_id},
                                    {"class", run->ensemble.members[0].config.classes[own->explained]},
                                    {"head", own->prediction.known[CMUS_HEAD_FUSION] ? "fusion" : "tem"}};
    return cmus_safetensors_write(path, tensors, count, pairs, sizeof pairs / sizeof pairs[0]);
}

/* The name of the page of the next case that has one, in steps of +1 or -1; NULL: none. */
static char *neighbour(const prediction_run *run, int index, int step) {
    int other = index + step, cases = cmus_case_source_count(run->source);
    while (other >= 0 && other < cases && run->left_out[other])
        other += step;
    if (other < 0 || other >= cases)
        return NULL;
    char *name = cmus_explained_name(run, other), *page = cmus_format_string("%s.html", name);
    cmus_free(name);
    return page;
}

static cmus_status write_case(prediction_run *run, int number, const char *folder) {
    const own_case *own = &run->own[number];
    const uint8_t *rgb;
    cmus_case_pixels_let_go(run->pixels);
    CMUS_TRY(cmus_case_pixels_get(run->pixels, number, &rgb));
    drawing d;
    begin_drawing(run, own, rgb, &d);
    char *name = cmus_explained_name(run, own->prediction.index);
    char *png = cmus_format_string("%s/%s.png", folder, name), *page = cmus_format_string("%s/%s.html", folder, name);
    char *maps = cmus_format_string("%s/%s.safetensors", folder, name);
    char *previous = neighbour(run, own->prediction.index, -1), *next = neighbour(run, own->prediction.index, 1);
    cmus_status status = cmus_case_picture_write(png, &d.picture);
    if (status == CMUS_OK)
        status = cmus_case_page_write(page, &d.picture, previous, next);
    if (status == CMUS_OK)
        status = write_maps(run, own, maps);
    char *texts[] = {name, png, page, maps, previous, next};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        cmus_free(texts[i]);
    end_drawing(&d);
    return status;
}

cmus_status cmus_explained_write(prediction_run *run, const char *folder) {
    for (int i = 0; i < run->own_count; i++)
        if (!run->own[i].prediction.failed)
            CMUS_TRY(write_case(run, i, folder));
    return CMUS_OK;
}

cmus_status cmus_explained_index(const prediction_run *run, const char *folder, const cmus_case_prediction *all) {
    int cases = cmus_case_source_count(run->source);
    size_t count = 0;
    cmus_case_link *links = cmus_allocate((size_t)cases, sizeof *links);
    char **pages = cmus_allocate((size_t)cases, sizeof *pages);
    for (int i = 0; i < cases; i++) {
        if (all[i].failed)
            continue;
        char *name = cmus_explained_name(run, i);
        pages[count] = cmus_format_string("%s.html", name);
        cmus_free(name);
        cmus_case_facts facts = cmus_case_source_case(run->source, i);
        links[count] = (cmus_case_link){.page = pages[count],
                                        .case_id = facts.case_id,
                                        .class_name = facts.class_name,
                                        .predicted = run->ensemble.members[0].config.classes[all[i].predicted],
                                        .probability = cmus_prediction_confidence(&all[i])};
        count++;
    }
    char *path = cmus_path_join(folder, "index.html");
    cmus_status status = cmus_case_pages_index(path, links, count);
    cmus_free(path);
    for (size_t i = 0; i < count; i++)
        cmus_free(pages[i]);
    cmus_free(pages);
    cmus_free(links);
    return status;
}
