/* Measures of images, and the checks on lists and records made in memory. */
#include "checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmus/memory.h"
#include "cmus/random.h"
#include "measure.h"
#include "unit.h"

enum { SIDE = 64, PIXELS = SIDE * SIDE, MOST_IMAGES = 64 };

/* A smooth picture, another one for each seed. */
static void draw(uint64_t seed, uint8_t *gray) {
    cmus_random random = cmus_random_begin(seed, "picture", NULL, 0);
    double phase[8], x_wave[8], y_wave[8];
    for (int k = 0; k < 8; k++) {
        phase[k] = cmus_random_below(&random, 628) / 100.0;
        x_wave[k] = ((double)cmus_random_below(&random, 61) - 30) / SIDE;
        y_wave[k] = ((double)cmus_random_below(&random, 61) - 30) / SIDE;
    }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double sum = 0;
            for (int k = 0; k < 8; k++)
                sum += cos(x * x_wave[k] + y * y_wave[k] + phase[k]);
            gray[y * SIDE + x] = (uint8_t)lround(128 + 15 * sum);
        }
}

static cmus_image_measures measure(const uint8_t *pixels, int channels) {
    cmus_image image = {.width = SIDE, .height = SIDE, .channels = channels, .pixels = (uint8_t *)pixels};
    cmus_image_measures measures;
    cmus_measure_image(&image, pixels, SIDE, channels, &measures);
    return measures;
}

static void repeat(const uint8_t *gray, uint8_t *rgb) {
    for (int i = 0; i < PIXELS; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = gray[i];
}

static uint64_t content_of(int width, int height, int channels, uint8_t *pixels) {
    static uint8_t resized[3 * PIXELS];
    cmus_image image = {.width = width, .height = height, .channels = channels, .pixels = pixels};
    cmus_image_measures measures;
    cmus_image_resize(&image, CMUS_BILINEAR, SIDE, SIDE, resized);
    cmus_measure_image(&image, resized, SIDE, channels, &measures);
    return measures.content;
}

/* Every pixel counts, also in the rows of a large image that are not hashed themselves. */
static void test_content(int width, int height, int change) {
    size_t count = (size_t)width * (size_t)height;
    uint8_t *rgb = cmus_allocate(count, 3);
    for (size_t i = 0; i < 3 * count; i++)
        rgb[i] = (uint8_t)(i * 7 + i / 100) & 127;
    uint64_t content = content_of(width, height, 3, rgb);
    CU_ASSERT_EQUAL(content, content_of(width, height, 3, rgb));
    CU_ASSERT_NOT_EQUAL(content, content_of(height, width, 3, rgb));
    static const int rows[] = {0, 1, 2, 3, 100};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *pixel = rgb + 3 * ((size_t)rows[i] * (size_t)width + (size_t)width / 2) + i % 3;
        *pixel = (uint8_t)(*pixel + change);
        CU_ASSERT_NOT_EQUAL(content, content_of(width, height, 3, rgb));
        *pixel = (uint8_t)(*pixel - change);
    }
    CU_ASSERT_EQUAL(content, content_of(width, height, 3, rgb));
    cmus_free(rgb);
}

static void test_content_of_small(void) {
    test_content(300, 200, 1);
}

static void test_content_of_large(void) {
    test_content(1500, 1000, 128); /* of some 200 pixels that become one */
}

static void test_brightness(void) {
    static uint8_t gray[PIXELS], rgb[3 * PIXELS];
    memset(gray, 10, sizeof gray);
    CU_ASSERT_TRUE(measure(gray, 1).constant);
    CU_ASSERT_EQUAL(measure(gray, 1).deviation, 0);
    for (int i = 0; i < PIXELS / 2; i++)
        gray[i] = 30;
    cmus_image_measures measures = measure(gray, 1);
    CU_ASSERT_FALSE(measures.constant);
    CU_ASSERT_EQUAL(measures.darkest, 10);
    CU_ASSERT_EQUAL(measures.brightest, 30);
    CU_ASSERT_DOUBLE_EQUAL(measures.mean, 20, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(measures.deviation, 10, 1e-6);
    repeat(gray, rgb);
    cmus_image_measures coloured = measure(rgb, 3);
    CU_ASSERT_EQUAL(coloured.likeness, measures.likeness);
    CU_ASSERT_DOUBLE_EQUAL(coloured.mean, 20, 1e-6);
    for (int i = 0; i < PIXELS; i++) { /* two colours of one gray value */
        rgb[3 * i] = i % 2 ? 90 : 0;
        rgb[3 * i + 1] = i % 2 ? 0 : 90;
        rgb[3 * i + 2] = 0;
    }
    coloured = measure(rgb, 3);
    CU_ASSERT_EQUAL(coloured.darkest, 30);
    CU_ASSERT_EQUAL(coloured.brightest, 30);
    CU_ASSERT_FALSE(coloured.constant);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The perceptual hash by the textbook, in double. */
static uint64_t plain_likeness(const uint8_t *gray) {
    double low[64], sorted[64];
    int cell = SIDE / 32;
    for (int v = 1; v <= 8; v++)
        for (int u = 1; u <= 8; u++) {
            double sum = 0;
            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++)
                    sum += gray[y * SIDE + x] * cos((2 * (x / cell) + 1) * u * M_PI / 64) *
                           cos((2 * (y / cell) + 1) * v * M_PI / 64);
            low[(v - 1) * 8 + u - 1] = sorted[(v - 1) * 8 + u - 1] = sum;
        }
    qsort(sorted, 64, sizeof *sorted, compare_doubles);
    uint64_t bits = 0;
    for (int i = 0; i < 64; i++)
        bits |= (uint64_t)(low[i] > (sorted[31] + sorted[32]) / 2) << i;
    return bits;
}

static int distance(uint64_t a, uint64_t b) {
    return __builtin_popcountll(a ^ b);
}

static void test_likeness(void) {
    static uint8_t gray[PIXELS], other[PIXELS];
    for (uint64_t seed = 0; seed < 20; seed++) {
        draw(seed, gray);
        uint64_t likeness = measure(gray, 1).likeness;
        CU_ASSERT_EQUAL(likeness, plain_likeness(gray));
        for (int i = 0; i < PIXELS; i++)
            other[i] = (uint8_t)(gray[i] * 3 / 4 + 20);
        CU_ASSERT(distance(likeness, measure(other, 1).likeness) <= 4);
        draw(seed + 1000, other);
        CU_ASSERT(distance(likeness, measure(other, 1).likeness) > 8);
    }
}

/* A list, its records and resized pixels. */
typedef struct world {
    cmus_case_list list;
    cmus_prepared_image prepared[MOST_IMAGES];
    uint8_t pixels[MOST_IMAGES][PIXELS];
    cmus_findings findings;
    size_t fails_at; /* number of the image whose pixels can't be had */
    int given;       /* how often pixels were asked for */
} world;

static world *make_world(void) {
    world *made = cmus_allocate(1, sizeof *made);
    cmus_case_list_add_class(&made->list, "A");
    cmus_case_list_add_class(&made->list, "B");
    made->fails_at = MOST_IMAGES;
    return made;
}

static void free_world(world *made) {
    for (size_t i = 0; i < made->list.image_count; i++)
        cmus_free(made->prepared[i].damage);
    cmus_case_list_free(&made->list);
    cmus_findings_free(&made->findings);
    cmus_free(made);
}

static void measure_again(world *made, size_t image) {
    made->prepared[image].measures = measure(made->pixels[image], 1);
}

static size_t add_image(world *made, cmus_image_kind kind) {
    size_t number = made->list.image_count;
    cmus_source_image image = {.path = cmus_copy_string("/secret"),
                               .shown = cmus_format_string("f%zu", number),
                               .source = cmus_copy_string("s"),
                               .kind = kind};
    cmus_case_list_add_image(&made->list, &image);
    made->prepared[number].width = made->prepared[number].height = 512;
    draw(number, made->pixels[number]);
    measure_again(made, number);
    return number;
}

/* A case with one OM, one IM and two TEM images; returns the number of the OM image, behind which the others are. */
static size_t add_case(world *made, const char *id, const char *patient, int label) {
    size_t om = add_image(made, CMUS_IMAGE_OM), im = add_image(made, CMUS_IMAGE_IM);
    size_t tem = add_image(made, CMUS_IMAGE_TEM);
    add_image(made, CMUS_IMAGE_TEM);
    cmus_source_case one = {.case_id = cmus_copy_string(id),
                            .patient_id = cmus_copy_string(patient),
                            .place = cmus_format_string("folder of %s", id),
                            .class_name = cmus_copy_string(label ? "B" : "A"),
                            .label = label,
                            .om = (ptrdiff_t)om,
                            .im = (ptrdiff_t)im,
                            .first_tem = tem,
                            .tem_count = 2};
    cmus_case_list_add_case(&made->list, &one);
    return om;
}

static void copy_picture(world *made, size_t from, size_t to) {
    memcpy(made->pixels[to], made->pixels[from], PIXELS);
    measure_again(made, to);
}

static cmus_status give(void *data, size_t image, uint8_t *gray) {
    world *self = data;
    self->given++;
    if (image == self->fails_at)
        return cmus_fail(CMUS_ERROR_IO, "gone");
    memcpy(gray, self->pixels[image], PIXELS);
    return CMUS_OK;
}

static cmus_status check(world *made) {
    return cmus_check_images(&made->list, made->prepared, SIDE, give, made, &made->findings);
}

/* How many findings there are of this severity, case and file whose text has `what`. */
static int count(const world *made, cmus_severity severity, const char *case_id, const char *place, const char *what) {
    int found = 0;
    for (size_t i = 0; i < made->findings.count; i++) {
        const cmus_finding *one = &made->findings.list[i];
        found += one->severity == severity && strcmp(one->case_id, case_id) == 0 && strcmp(one->place, place) == 0 &&
                 strstr(one->what, what) != NULL;
    }
    return found;
}

static void test_nothing_wrong(void) {
    world *made = make_world();
    add_case(made, "a", "1", 0);
    add_case(made, "b", "2", 1);
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 0);
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_STOP), CMUS_OK);
    free_world(made);
}

/* A damaged image that two cases share rejects both, and its other records are not looked at. */
static void test_damage(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0);
    add_case(made, "b", "1", 0);
    add_case(made, "c", "2", 0);
    made->list.cases[1].im = made->list.cases[0].im;
    made->prepared[first + 1] = (cmus_prepared_image){.damage = cmus_copy_string("breaks off")};
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 2);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f1", "breaks off"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "b", "f1", "breaks off"), 1);
    CU_ASSERT_STRING_EQUAL(made->list.cases[0].rejected, "f1: breaks off");
    CU_ASSERT_STRING_EQUAL(made->list.cases[1].rejected, "f1: breaks off");
    CU_ASSERT_PTR_NULL(made->list.cases[2].rejected);
    free_world(made);
}

static void test_brightness_findings(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "2", 1);
    memset(made->pixels[first], 0, PIXELS);      /* black OM: no picture */
    memset(made->pixels[first + 1], 0, PIXELS);  /* black IM: a negative stain */
    memset(made->pixels[first + 2], 90, PIXELS); /* gray TEM */
    for (int i = 0; i < PIXELS; i++) {
        made->pixels[first + 3][i] = (uint8_t)(i % 5);        /* dark TEM */
        made->pixels[second + 3][i] = (uint8_t)(250 + i % 5); /* empty TEM */
    }
    for (size_t i = first; i < first + 4; i++)
        measure_again(made, i);
    measure_again(made, second + 3);
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 5);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f0", "one colour"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f1", "nearly black"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f2", "one colour"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f3", "nearly black"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "b", "f7", "almost one colour"), 1);
    CU_ASSERT_PTR_NOT_NULL(made->list.cases[0].rejected);
    CU_ASSERT_PTR_NULL(made->list.cases[1].rejected);
    free_world(made);
}

static void test_equal_patients(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "2", 1),
           third = add_case(made, "c", "2", 1);
    add_case(made, "d", "3", 1);
    copy_picture(made, first + 2, second + 3);
    copy_picture(made, first + 2, third + 2);
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 3);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f2", "under another patient"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f2", "f7 of case b"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "b", "f7", "f2 of case a"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "c", "f10", "f2 of case a"), 1);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_PTR_NOT_NULL(made->list.cases[i].rejected);
    CU_ASSERT_PTR_NULL(made->list.cases[3].rejected);
    free_world(made);
}

/* One file that a manifest gives to two patients. */
static void test_shared_file(void) {
    world *made = make_world();
    add_case(made, "a", "1", 0);
    add_case(made, "b", "2", 0);
    made->list.cases[1].om = made->list.cases[0].om;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 2);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "a", "f0", "two patients, here and in case b"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_DEFECT, "b", "f0", "two patients, here and in case a"), 1);
    free_world(made);
}

static void test_equal_copies(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "1", 1),
           third = add_case(made, "c", "1", 0);
    made->list.cases[2].om = made->list.cases[0].om; /* one file in two cases of a patient is nothing to say */
    copy_picture(made, first + 2, first + 3);
    copy_picture(made, first + 1, second + 1);
    copy_picture(made, first, third + 2);
    copy_picture(made, second + 3, third + 3); /* and neither is one file that the list has twice */
    strcpy(made->list.images[third + 3].shown, "f7");
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 4); /* with the patient's two classes */
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f3", "twice in a case: equal to f2"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "b", "f5", "two classes: equal to f1 of this patient's case a"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "c", "f10", "twice in a case: equal to f0"), 1);
    CU_ASSERT_EQUAL(made->findings.defects, 0);
    free_world(made);
}

static void test_similar(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "2", 0);
    copy_picture(made, first, second + 1); /* an OM image under IM, brighter */
    copy_picture(made, first + 2, first + 3);
    for (int i = 0; i < PIXELS; i++) {
        made->pixels[second + 1][i] = (uint8_t)(made->pixels[first][i] * 9 / 10 + 20);
        made->pixels[first + 3][i] ^= 1;
    }
    measure_again(made, second + 1);
    measure_again(made, first + 3);
    /* hashes that are close of pictures that are not */
    made->prepared[second + 2].measures.likeness = made->prepared[first + 1].measures.likeness ^ 0x8001000000010080;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 2);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "b", "f5", "looks like f0 of another patient's case a"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f3", "looks like f2 of the same case"), 1);
    made->fails_at = second + 1;
    CU_ASSERT_EQUAL(check(made), CMUS_ERROR_IO);
    free_world(made);
}

/* Blocks of random gray values up to 80 above the outline's; another one for each seed. */
static void draw_blocks(uint64_t seed, bool outline, uint8_t *gray) {
    enum { BLOCK = 4 };
    cmus_random random = cmus_random_begin(seed, "blocks", NULL, 0);
    uint8_t blocks[SIDE / BLOCK][SIDE / BLOCK];
    for (int i = 0; i < SIDE / BLOCK; i++)
        for (int j = 0; j < SIDE / BLOCK; j++)
            blocks[i][j] = (uint8_t)cmus_random_below(&random, 80);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            gray[y * SIDE + x] = (uint8_t)(blocks[y / BLOCK][x / BLOCK] + (outline && x + y > SIDE ? 160 : 0));
}

/* A picture that has moved is found, another one of the same outline is not, however close their hashes are. */
static void test_similar_details(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "2", 0);
    draw_blocks(1, false, made->pixels[first]);
    for (int i = 2 * SIDE + 2; i < PIXELS; i++) /* two down and two to the right */
        made->pixels[second][i] = made->pixels[first][i - 2 * SIDE - 2];
    draw_blocks(2, true, made->pixels[first + 1]);
    draw_blocks(3, true, made->pixels[second + 1]);
    for (size_t i = 0; i < 2; i++) {
        measure_again(made, first + i);
        measure_again(made, second + i);
        made->prepared[second + i].measures.likeness = made->prepared[first + i].measures.likeness;
    }
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "b", "f4", "looks like f0 of another patient's case a"), 1);
    free_world(made);
}

/* A picture that was stored again many times is said once for each copy; pixels of pictures that only have close
 * hashes are asked for once a pair, and not of all pairs. */
static void test_similar_groups(void) {
    world *made = make_world();
    size_t images;
    for (int i = 0; i < 12; i++) {
        char id[] = {(char)('a' + i), '\0'};
        add_case(made, id, id, 0);
    }
    images = made->list.image_count;
    for (size_t i = 0; i < images; i += 4) {
        copy_picture(made, 0, i);
        made->pixels[i][0] = (uint8_t)i;
        measure_again(made, i);
    }
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, images / 4 - 1);
    CU_ASSERT_EQUAL(made->given, (int)images / 4);
    free_world(made);
    made = make_world();
    size_t first = add_case(made, "a", "1", 0);
    made->prepared[first + 3].measures.likeness = made->prepared[first].measures.likeness ^ 1;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->given, 2);
    for (int i = 0; i < 11; i++)
        add_case(made, "b", "1", 0);
    for (size_t i = 0; i < images; i++)
        made->prepared[i].measures.likeness = 1;
    made->given = 0;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT(made->given > 300);
    CU_ASSERT(made->given < 48 * 17);
    free_world(made);
}

/* Two pictures by turns, all of one hash: each copy is said once, and those of one group are not compared. */
static void test_similar_turns(void) {
    world *made = make_world();
    for (int i = 0; i < 6; i++) {
        char id[] = {(char)('a' + i), '\0'};
        add_case(made, id, id, 0);
    }
    int images = (int)made->list.image_count;
    for (int i = 0; i < images; i++) {
        draw_blocks((uint64_t)(i % 2), false, made->pixels[i]);
        made->pixels[i][0] = (uint8_t)i;
        measure_again(made, (size_t)i);
        made->prepared[i].measures.likeness = 1;
    }
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, images - 2);
    CU_ASSERT(made->given < images * (2 + images / 2));
    free_world(made);
    /* The fourth is like the second only, which finds it behind the third, one of its group. */
    made = make_world();
    size_t first = add_case(made, "a", "1", 0);
    for (size_t i = first; i < first + 4; i++) {
        copy_picture(made, first, i);
        made->pixels[i][0] = (uint8_t)i;
        measure_again(made, i);
        made->prepared[i].measures.likeness = i == first + 1 ? 0xFF00000000000000 : 0;
    }
    made->prepared[first + 3].measures.likeness = 0xFFFF000000000000;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 3);
    free_world(made);
}

static void test_sizes(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0);
    add_case(made, "b", "2", 1);
    add_case(made, "c", "3", 1);
    made->prepared[first].width = 100; /* the only odd one of three OM images: too few */
    made->prepared[first + 2].width = 3000;
    made->prepared[first + 2].height = 400;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f2", "3000 x 400 pixels, where TEM images have about 512 x 512"),
                    1);
    for (size_t i = 0; i < made->list.image_count / 2; i++) /* two sources are no outliers */
        made->prepared[i].width = made->prepared[i].height = 4096;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 1);
    free_world(made);
}

static void test_once(void) {
    world *made = make_world();
    size_t first = add_case(made, "a", "1", 0), second = add_case(made, "b", "1", 1);
    add_case(made, "c", "2", 1);
    add_case(made, "d", "2", 1);
    made->prepared[first].more_pages = made->prepared[second].more_pages = true;
    made->prepared[first + 1].has_position = true;
    made->prepared[second + 1].has_person = true;
    CU_ASSERT_EQUAL(check(made), CMUS_OK);
    CU_ASSERT_EQUAL(made->findings.count, 4);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "", "f0", "several pages, as have 1 other files"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "f1", "GPS"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "b", "f5", "may name a person"), 1);
    CU_ASSERT_EQUAL(count(made, CMUS_WARNING, "a", "folder of a", "patient 1 is in 2 classes: A (case a), B (case b)"),
                    1);
    free_world(made);
}

static void test_judge(void) {
    world *made = make_world();
    add_case(made, "a", "1", 0);
    add_case(made, "b", "2", 1);
    add_case(made, "c", "3", 1);
    cmus_findings_add(&made->findings, CMUS_DEFECT, "b", "f4", "bad");
    cmus_case_list_reject(&made->list, 1, "bad");
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_STOP), CMUS_ERROR_DATA);
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_SKIP), CMUS_OK);
    cmus_case_list_reject(&made->list, 2, "bad");
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_SKIP), CMUS_ERROR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "all cases of class B"));
    made->list.cases[1].label = made->list.cases[2].label = -1; /* of no class of the data set */
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_SKIP), CMUS_OK);
    cmus_findings_add(&made->findings, CMUS_DEFECT, NULL, "folder", "can't be read");
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_SKIP), CMUS_ERROR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "folder: can't be read"));
    free_world(made);
    made = make_world();
    CU_ASSERT_EQUAL(cmus_checks_judge(&made->list, &made->findings, CMUS_SKIP), CMUS_ERROR_DATA);
    free_world(made);
}

/* All images show one picture, so that what is found depends on the hashes alone. */
static cmus_status give_one(void *data, size_t image, uint8_t *gray) {
    (void)image;
    memcpy(gray, data, PIXELS);
    return CMUS_OK;
}

/* `images` images of one picture, two of a case and a patient, whose measures say that they are different. */
static void fill_list(size_t images, const uint8_t *picture, cmus_case_list *list, cmus_prepared_image *prepared) {
    cmus_random random = cmus_random_begin(5, "hashes", NULL, 0);
    cmus_case_list_add_class(list, "A");
    for (size_t i = 0; i < images; i++) {
        cmus_source_image image = {.path = cmus_copy_string(""),
                                   .shown = cmus_format_string("%zu", i),
                                   .source = cmus_copy_string(""),
                                   .kind = CMUS_IMAGE_TEM};
        cmus_case_list_add_image(list, &image);
        prepared[i].width = prepared[i].height = SIDE;
        prepared[i].measures = measure(picture, 1);
        prepared[i].measures.content = i;
        prepared[i].measures.likeness =
            (uint64_t)cmus_random_below(&random, UINT32_MAX) << 32 | cmus_random_below(&random, UINT32_MAX);
    }
    for (size_t i = 0; i < images / 2; i++) {
        cmus_source_case one = {.case_id = cmus_format_string("%zu", i),
                                .patient_id = cmus_format_string("%zu", i),
                                .place = cmus_copy_string(""),
                                .class_name = cmus_copy_string("A"),
                                .om = CMUS_NO_IMAGE,
                                .im = CMUS_NO_IMAGE,
                                .first_tem = 2 * i,
                                .tem_count = 2};
        cmus_case_list_add_case(list, &one);
    }
}

static size_t many = 12000; /* images, of the next test */

/* Among many random hashes the pairs are found that differ in few bits, wherever these are. */
static void test_many(void) {
    enum { PAIRS = 300 };
    static uint8_t picture[PIXELS];
    cmus_case_list list = {0};
    cmus_findings findings = {0};
    cmus_random random = cmus_random_begin(6, "bits", NULL, 0);
    cmus_prepared_image *prepared = cmus_allocate(many, sizeof *prepared);
    draw(1, picture);
    fill_list(many, picture, &list, prepared);
    for (size_t i = 0; i < PAIRS; i++) { /* of 8 bits for most, 9 for the last third, which are not found */
        uint64_t hash = prepared[i].measures.likeness, change = 0;
        while (__builtin_popcountll(change) < (i < 2 * PAIRS / 3 ? 8 : 9))
            change |= (uint64_t)1 << cmus_random_below(&random, 64);
        prepared[many - 1 - i].measures.likeness = hash ^ change;
    }
    clock_t begin = clock();
    CU_ASSERT_EQUAL(cmus_check_images(&list, prepared, SIDE, give_one, picture, &findings), CMUS_OK);
    printf("%zu images in %.2f s ... ", many, (double)(clock() - begin) / CLOCKS_PER_SEC);
    CU_ASSERT(findings.count >= 2 * PAIRS / 3);
    CU_ASSERT(findings.count < 2 * PAIRS / 3 + 10); /* of 100,000 a few are close by chance */
    cmus_findings_free(&findings);
    cmus_case_list_free(&list);
    cmus_free(prepared);
}

/* test_checks [IMAGES]: the number of the test with many images. */
int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"hash of pixels", test_content_of_small},
        {"hash of a large image", test_content_of_large},
        {"brightness", test_brightness},
        {"perceptual hash", test_likeness},
        {"nothing wrong", test_nothing_wrong},
        {"damaged images", test_damage},
        {"dark and empty images", test_brightness_findings},
        {"equal pixels under two patients", test_equal_patients},
        {"one file under two patients", test_shared_file},
        {"equal pixels under one patient", test_equal_copies},
        {"similar pixels", test_similar},
        {"details of similar pixels", test_similar_details},
        {"groups of similar pixels", test_similar_groups},
        {"two groups of similar pixels", test_similar_turns},
        {"sizes", test_sizes},
        {"pages, tags, classes of a patient", test_once},
        {"what stops", test_judge},
        {"many images", test_many},
    };
    if (argc > 1)
        many = strtoul(argv[1], NULL, 10);
    return unit_main("checks", tests, sizeof tests / sizeof tests[0]);
}
