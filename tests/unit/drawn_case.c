#include "drawn_case.h"

#include "cmus/memory.h"

static const double probabilities[DRAWN_CLASSES] = {0.25, 0.625, 0.125}, spread[DRAWN_CLASSES] = {0.05, 0.1, 0.02};

void drawn_case_paint(uint8_t *rgb, int red, int green, int blue) {
    for (int i = 0; i < DRAWN_SIZE * DRAWN_SIZE; i++) {
        rgb[3 * i] = (uint8_t)red;
        rgb[3 * i + 1] = (uint8_t)green;
        rgb[3 * i + 2] = (uint8_t)blue;
    }
}

void drawn_case_make(drawn_case *drawn, int tem_count) {
    static const char *const heads[DRAWN_HEADS] = {"fusion", "OM", "IM", "TEM"};
    *drawn = (drawn_case){.classes = {"IgAN", "MN", "LN"}};
    for (int i = 0; i < DRAWN_MOST_TEM + 2; i++) {
        drawn->rgb[i] = cmus_allocate_raw((size_t)DRAWN_SIZE * DRAWN_SIZE, 3);
        drawn_case_paint(drawn->rgb[i], 128, 128, 128);
    }
    for (int h = 0; h < DRAWN_HEADS; h++)
        drawn->heads[h] = (cmus_picture_head){heads[h], true, probabilities, spread};
    for (int t = 0; t < DRAWN_TOKENS; t++)
        drawn->attention[0][t] = drawn->attention[1][t] = 1.0f / DRAWN_TOKENS;
    for (int i = 0; i < tem_count; i++)
        drawn->tem[i] = (cmus_picture_image){.name = "TEM_1.tif",
                                             .rgb = drawn->rgb[i],
                                             .heat = drawn->heat[i],
                                             .weight = 1.0 / (1 + i),
                                             .distance = i,
                                             .kept = true};
    drawn->picture =
        (cmus_case_picture){.case_id = "MN/0017",
                            .patient_id = "0017",
                            .class_name = "MN",
                            .class_count = DRAWN_CLASSES,
                            .classes = drawn->classes,
                            .predicted = 1,
                            .explained = 1,
                            .explained_head = "fusion",
                            .models = 5,
                            .head_count = DRAWN_HEADS,
                            .heads = drawn->heads,
                            .size = DRAWN_SIZE,
                            .side = DRAWN_SIDE,
                            .om = {.name = "OM_1.jpg", .rgb = drawn->rgb[DRAWN_MOST_TEM], .kept = true},
                            .im = {.name = "IM_1.jpg", .rgb = drawn->rgb[DRAWN_MOST_TEM + 1], .kept = true},
                            .tem_count = tem_count,
                            .tem = drawn->tem,
                            .mean_distance = 12.5};
    drawn->picture.om.heat = drawn->heat[DRAWN_MOST_TEM];
    drawn->picture.im.heat = drawn->heat[DRAWN_MOST_TEM + 1];
    drawn->picture.om.attention = drawn->attention[0];
    drawn->picture.im.attention = drawn->attention[1];
}

void drawn_case_make_hostile(drawn_case *drawn) {
    static const char code[] =
        "<script>var owned = 1</script><img src=x onerror=\"owned = 1\">\xFF\x01'&amp;{{made}}%s%n";
    static char endless[5000];
    for (size_t i = 0; i + 1 < sizeof endless; i++)
        endless[i] = 'W';
    drawn_case_make(drawn, DRAWN_MOST_TEM);
    drawn->picture.case_id = code;
    drawn->picture.patient_id = "\xE7\x8E\x8B\xE5\xB0\x8F\xE6\x98\x8E";
    drawn->picture.class_name = "</style></title><script>owned = 1</script>";
    drawn->classes[0] = code;
    drawn->classes[1] = endless;
    drawn->picture.om.name = code;
    drawn->tem[0].name = endless;
    drawn->tem[0].kept = false;
    drawn->tem[1].name = "";
    drawn->tem[2].name = code;
    for (int i = 0; i < DRAWN_MOST_TEM + 2; i++)
        drawn->heat[i][i % DRAWN_TOKENS] = i == 0 ? 0 : 1;
}

void drawn_case_free(drawn_case *drawn) {
    for (int i = 0; i < DRAWN_MOST_TEM + 2; i++)
        cmus_free(drawn->rgb[i]);
}
