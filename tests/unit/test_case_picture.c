/* Pictures and pages of predicted cases: what is drawn where, in which order; names that are code. With a folder as its
 * argument it leaves pages there instead, for cli/predict_pages.sh. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "case_words.h"
#include "cmus/case_picture.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "colour_map.h"
#include "drawn_case.h"
#include "image.h"
#include "unit.h"

static char folder[] = "/tmp/test_case_picture.XXXXXX";

static char *in_folder(const char *name) {
    return cmus_path_join(folder, name);
}

/* Draws the picture and decodes it again; free with cmus_image_free(). */
static cmus_image draw(const cmus_case_picture *picture) {
    char *path = in_folder("case.png"), *data;
    size_t size;
    cmus_image image = {0};
    cmus_decode_options options = cmus_decode_defaults();
    CU_ASSERT_EQUAL_FATAL(cmus_case_picture_write(path, picture), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, (size_t)100 << 20, &data, &size), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_image_decode((const uint8_t *)data, size, &options, &image), CMUS_OK);
    CU_ASSERT_EQUAL(image.type, CMUS_PNG);
    CU_ASSERT_EQUAL_FATAL(image.channels, 3);
    cmus_free(data);
    cmus_free(path);
    return image;
}

/* The page as a text; free with cmus_free(). */
static char *write_page(const cmus_case_picture *picture, const char *previous, const char *next) {
    char *path = in_folder("case.html"), *data;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_case_page_write(path, picture, previous, next), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, (size_t)100 << 20, &data, &size), CMUS_OK);
    CU_ASSERT_EQUAL(strlen(data), size);
    cmus_free(path);
    return data;
}

/* Where pixels are that are like the colour (within `near` of it): their number and the first and last of a row. */
typedef struct found_pixels {
    int count, left, right, top, bottom;
} found_pixels;

static found_pixels find_colour(const cmus_image *image, int red, int green, int blue, int near) {
    found_pixels found = {0, image->width, -1, image->height, -1};
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *pixel = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            if (abs(pixel[0] - red) > near || abs(pixel[1] - green) > near || abs(pixel[2] - blue) > near)
                continue;
            found.count++;
            found.left = x < found.left ? x : found.left;
            found.right = x > found.right ? x : found.right;
            found.top = y < found.top ? y : found.top;
            found.bottom = y > found.bottom ? y : found.bottom;
        }
    return found;
}

static void colours_grow_with_heat(void) {
    cmus_heat_colour none = cmus_heat_colour_of(0), most = cmus_heat_colour_of(1);
    CU_ASSERT_EQUAL(none.opacity, 0);
    CU_ASSERT(most.opacity > 0.5f && most.opacity < 0.9f); /* what lies below stays visible */
    CU_ASSERT(most.rgb[0] > 200 && most.rgb[2] < 120);
    float luma = -1, opacity = -1;
    for (int i = 0; i <= 100; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of((float)i / 100);
        float here = 0.299f * colour.rgb[0] + 0.587f * colour.rgb[1] + 0.114f * colour.rgb[2];
        CU_ASSERT(here > luma && colour.opacity > opacity);
        luma = here;
        opacity = colour.opacity;
    }
    CU_ASSERT_EQUAL(cmus_heat_colour_of(NAN).opacity, 0);
    CU_ASSERT_EQUAL(cmus_heat_colour_of(-1).opacity, 0);
    CU_ASSERT_EQUAL(cmus_heat_colour_of(2).opacity, most.opacity);
}

static void maps_are_blended(void) {
    enum { SIZE = 64, SIDE = 2 };
    const float map[SIDE * SIDE] = {0, 4, INFINITY, NAN};
    uint8_t rgb[3 * SIZE * SIZE], blended[3 * SIZE * SIZE];
    uint32_t layer[SIZE * SIZE];
    memset(rgb, 100, sizeof rgb);
    CU_ASSERT_EQUAL(cmus_map_largest(map, SIDE), 4);
    cmus_heat_blend(rgb, SIZE, map, SIDE, 4, blended);
    CU_ASSERT_EQUAL(memcmp(blended, rgb, 3), 0); /* no heat, no colour */
    cmus_heat_colour most = cmus_heat_colour_of(1);
    for (int k = 0; k < 3; k++)
        CU_ASSERT_DOUBLE_EQUAL(blended[3 * (SIZE - 1) + k], 100 + most.opacity * (most.rgb[k] - 100), 0.51);
    cmus_heat_layer(SIZE, map, SIDE, 4, layer);
    CU_ASSERT_EQUAL(layer[0], 0);
    CU_ASSERT_EQUAL(layer[SIZE - 1] >> 24, (uint32_t)lrintf(255 * most.opacity));
    CU_ASSERT_DOUBLE_EQUAL(layer[SIZE - 1] >> 16 & 255, most.opacity * most.rgb[0], 0.51);
    for (int i = 0; i < SIZE * SIZE; i++)
        for (int shift = 0; shift < 24; shift += 8)
            CU_ASSERT((layer[i] >> shift & 255) <= layer[i] >> 24); /* premultiplied */
}

static void heaviest_first(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 6);
    const double weights[6] = {0.2, 1, 0, 0.2, 0, 0.5};
    for (int i = 0; i < 6; i++)
        drawn.tem[i].weight = weights[i];
    drawn.tem[1].kept = drawn.tem[4].kept = false; /* even the heaviest goes last */
    int *order = cmus_tem_order(&drawn.picture);
    CU_ASSERT_EQUAL(memcmp(order, ((const int[]){5, 0, 3, 2, 1, 4}), sizeof(int[6])), 0);
    CU_ASSERT_EQUAL(cmus_tem_left_out(&drawn.picture), 2);
    cmus_free(order);
    drawn_case_free(&drawn);
}

static void heat_is_where_it_is(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 1);
    drawn.picture.om.attention = drawn.picture.im.attention = NULL;
    drawn_case_paint(drawn.rgb[0], 0, 255, 0); /* tells where the TEM image is */
    cmus_heat_colour most = cmus_heat_colour_of(1);
    int hot[3];
    for (int k = 0; k < 3; k++)
        hot[k] = (int)lrintf(k == 1 ? 255 + most.opacity * (most.rgb[k] - 255) : most.opacity * most.rgb[k]);
    cmus_image image = draw(&drawn.picture);
    found_pixels plain = find_colour(&image, 0, 255, 0, 0), heat = find_colour(&image, hot[0], hot[1], hot[2], 12);
    int side = plain.right - plain.left + 1;
    CU_ASSERT_EQUAL(side, plain.bottom - plain.top + 1);
    CU_ASSERT_EQUAL(plain.count, side * side);
    CU_ASSERT_EQUAL(heat.count, 0);
    cmus_image_free(&image);

    drawn.heat[0][5] = 0.001f; /* middle row, right: a map is scaled by its largest value */
    image = draw(&drawn.picture);
    heat = find_colour(&image, hot[0], hot[1], hot[2], 12);
    CU_ASSERT(heat.count > 100 && heat.count < side * side / 4);
    CU_ASSERT(heat.left > plain.right + side / 2 && heat.right < plain.right + side + side / 4);
    CU_ASSERT_DOUBLE_EQUAL((heat.top + heat.bottom) / 2.0, (plain.top + plain.bottom) / 2.0, 2);
    cmus_image_free(&image);
    drawn_case_free(&drawn);
}

/* Two TEM images of which one has half the heat of the other: it must look cooler. */
static void one_scale_for_the_bag(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 2);
    drawn_case_paint(drawn.rgb[0], 0, 0, 255);
    drawn_case_paint(drawn.rgb[1], 0, 0, 255);
    for (int t = 0; t < DRAWN_TOKENS; t++) {
        drawn.heat[0][t] = 1;
        drawn.heat[1][t] = 2;
    }
    cmus_image image = draw(&drawn.picture);
    int counts[2];
    for (int i = 0; i < 2; i++) {
        cmus_heat_colour colour = cmus_heat_colour_of(i ? 1 : 0.5f);
        int mixed[3];
        for (int k = 0; k < 3; k++)
            mixed[k] = (int)lrintf((k == 2 ? 255 : 0) * (1 - colour.opacity) + colour.opacity * colour.rgb[k]);
        counts[i] = find_colour(&image, mixed[0], mixed[1], mixed[2], 1).count;
    }
    CU_ASSERT(counts[0] > 10000);
    CU_ASSERT_EQUAL(counts[0], counts[1]);
    cmus_image_free(&image);
    drawn_case_free(&drawn);
}

static void left_out_is_gray_and_last(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 3);
    drawn_case_paint(drawn.rgb[0], 200, 0, 0);
    drawn_case_paint(drawn.rgb[1], 0, 0, 200);
    drawn_case_paint(drawn.rgb[2], 0, 200, 0);
    drawn.tem[1].weight = 0.1;
    drawn.tem[2].weight = 0.9;
    drawn.tem[0].kept = false;
    cmus_image image = draw(&drawn.picture);
    int pale = (int)lrintf(255 - 0.4f * (255 - 0.299f * 200));
    found_pixels red = find_colour(&image, 200, 0, 0, 20), gray = find_colour(&image, pale, pale, pale, 0);
    found_pixels blue = find_colour(&image, 0, 0, 200, 0), green = find_colour(&image, 0, 200, 0, 0);
    CU_ASSERT_EQUAL(red.count, 0);
    CU_ASSERT(gray.count >= blue.count && blue.count > 10000);
    CU_ASSERT(green.right < blue.left && blue.right < gray.right);
    cmus_image_free(&image);
    drawn_case_free(&drawn);
}

static void all_cases_are_drawn(void) {
    static const int counts[] = {0, 3, 4};
    int width = 0, before = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        drawn_case drawn;
        drawn_case_make(&drawn, counts[i]);
        drawn.picture.im.rgb = NULL;
        drawn.heads[0].known = drawn.heads[2].known = false;
        cmus_image image = draw(&drawn.picture);
        CU_ASSERT(i == 0 || image.width == width);
        CU_ASSERT(image.height >= before);
        CU_ASSERT(i != 2 || image.height > before); /* a second row */
        width = image.width;
        before = image.height;
        cmus_image_free(&image);
        drawn_case_free(&drawn);
    }
}

/* Far more than there is room for: images, classes; numbers that are none. */
static void extremes_are_drawn(void) {
    enum { MANY = 500, CLASSES = 32 };
    drawn_case drawn;
    drawn_case_make(&drawn, 1);
    cmus_picture_image *many = cmus_allocate(MANY, sizeof *many);
    const char *classes[CLASSES];
    double none[CLASSES];
    float nothing[DRAWN_TOKENS];
    for (int t = 0; t < DRAWN_TOKENS; t++)
        nothing[t] = NAN;
    for (int i = 0; i < MANY; i++) {
        many[i] = (cmus_picture_image){
            .name = "TEM", .heat = nothing, .weight = i % 2 ? NAN : INFINITY, .distance = NAN, .kept = true};
        many[i].rgb = i < 4 ? drawn.rgb[0] : NULL;
    }
    for (int c = 0; c < CLASSES; c++) {
        classes[c] = "class";
        none[c] = NAN;
    }
    for (int h = 0; h < DRAWN_HEADS; h++)
        drawn.heads[h] = (cmus_picture_head){"OM", true, none, none};
    drawn.picture.classes = classes;
    drawn.picture.class_count = CLASSES;
    drawn.picture.tem = many;
    drawn.picture.tem_count = MANY;
    drawn.picture.predicted = -1;
    cmus_image image = draw(&drawn.picture);
    CU_ASSERT(image.height < 32768);
    cmus_image_free(&image);
    char *page = write_page(&drawn.picture, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "no positive evidence"));
    cmus_free(page);
    cmus_free(many);
    drawn_case_free(&drawn);
}

static void words_say_what_is_missing(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 2);
    drawn.picture.om.rgb = drawn.picture.im.rgb = NULL;
    for (int h = 0; h < 3; h++)
        drawn.heads[h].known = false;
    static const char *const wanted[] = {"OM and IM images are missing", "OM image is missing", "IM image is missing"};
    for (int h = 0; h < 3; h++) {
        char *words = cmus_missing_words(&drawn.picture, &drawn.heads[h]);
        CU_ASSERT_STRING_EQUAL(words, wanted[h]);
        cmus_free(words);
    }
    double spread, probability = cmus_leading_probability(&drawn.picture, 1, &spread);
    CU_ASSERT_EQUAL(probability, 0.625); /* of TEM alone */
    CU_ASSERT(isnan(spread));
    drawn.heads[3].known = false;
    CU_ASSERT(isnan(cmus_leading_probability(&drawn.picture, 1, &spread)));
    CU_ASSERT(!cmus_predicted_wrong(&drawn.picture));
    drawn.picture.class_name = "LN";
    CU_ASSERT(cmus_predicted_wrong(&drawn.picture));
    drawn_case_free(&drawn);
}

/* The same attention in another unit has the same scale. */
static void attention_has_a_scale(void) {
    float map[DRAWN_TOKENS] = {0};
    for (int unit = 1; unit <= 4; unit += 3) {
        map[2] = 0.75f * (float)unit;
        map[5] = 0.25f * (float)unit;
        cmus_attention_scale scale = cmus_attention_scale_of(map, DRAWN_SIDE);
        CU_ASSERT_DOUBLE_EQUAL(scale.largest, 0.75, 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(scale.uniform, 1.0 / DRAWN_TOKENS / 0.75, 1e-9);
    }
}

static int count_of(const char *text, const char *part) {
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static void page_tells_everything(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 3);
    drawn.picture.im.rgb = NULL;
    drawn.heads[2].known = false;
    drawn.tem[0].kept = false;
    drawn.heat[1][0] = 1;
    drawn.picture.class_name = "LN";
    char *page = write_page(&drawn.picture, NULL, "a b\".html");
    static const char *const texts[] = {"<h1>MN/0017</h1>",
                                        "0.625 ± 0.100 (SD of 5 networks)",
                                        "the prediction is wrong",
                                        "not available: IM image is missing",
                                        "uniform 1/9",
                                        "href=\"./a%20b%22.html\"",
                                        "href=\"./index.html\"",
                                        "weight 0.500, distance 1",
                                        ">left out<",
                                        "not where disease is",
                                        "Content-Security-Policy\" content=\"default-src 'none'"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strstr(page, texts[i])) {
            CU_FAIL("a text is missing");
            fprintf(stderr, "not in the page: %s\n", texts[i]);
        }
    CU_ASSERT_PTR_NULL(strstr(page, "previous case"));
    CU_ASSERT_EQUAL(count_of(page, ">no positive evidence<"), 2); /* OM, the third TEM image */
    CU_ASSERT_EQUAL(count_of(page, "data:image/jpeg"), 4);        /* each photograph once */
    CU_ASSERT_EQUAL(count_of(page, "data:image/png"), 2);         /* heat of a TEM image, attention to OM */
    cmus_free(page);
    drawn_case_free(&drawn);
}

static void names_are_no_code(void) {
    drawn_case drawn;
    drawn_case_make_hostile(&drawn);
    cmus_image image = draw(&drawn.picture);
    cmus_image_free(&image);
    char *page = write_page(&drawn.picture, "javascript:alert(1)", "//example.com/");
    CU_ASSERT_PTR_NULL(strstr(page, "<script"));
    CU_ASSERT_PTR_NULL(strstr(page, "<img"));
    CU_ASSERT_PTR_NULL(strstr(page, "javascript:"));
    CU_ASSERT_PTR_NULL(strstr(page, "example.com/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "&#60;script&#62;"));
    CU_ASSERT_EQUAL(count_of(page, "</style>"), 1);
    CU_ASSERT_EQUAL(count_of(page, "\x01"), 0);
    cmus_free(page);
    drawn_case_free(&drawn);
}

static const cmus_case_link links[] = {{"00000-a.html", "MN/1", "MN", "MN", 0.75},
                                       {"00001-b.html", "MN/2", "MN", "LN", 0.5},
                                       {"00002-c.html", "<script>owned = 1</script>", "", "LN", 1},
                                       {"00003-d.html", "4", NULL, NULL, NAN}};

static void index_marks_wrong_cases(void) {
    char *path = in_folder("index.html"), *page;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(cmus_case_pages_index(path, links, 4), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, (size_t)1 << 20, &page, &size), CMUS_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "4 cases. The class of 2 is known; of these, 1 is predicted wrong."));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "<td class=\"wrong\">LN (wrong)</td><td>0.500</td>"));
    CU_ASSERT_EQUAL(count_of(page, "(wrong)"), 1);
    CU_ASSERT_EQUAL(count_of(page, "unknown"), 2);
    CU_ASSERT_PTR_NULL(strstr(page, "<script"));
    cmus_free(page);
    cmus_free(path);
}

/* Files and folders in the folder, hidden ones, too. */
static int entries(void) {
    DIR *opened = opendir(folder);
    int count = 0;
    while (opened && readdir(opened))
        count++;
    if (opened)
        closedir(opened);
    return count;
}

static void failures_leave_nothing(void) {
    drawn_case drawn;
    drawn_case_make(&drawn, 1);
    static const char *const names[] = {"nowhere/file", "taken"}; /* no folder; a folder where the file would be */
    char *taken = in_folder("taken");
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(taken), CMUS_OK);
    int before = entries();
    for (int i = 0; i < 2; i++) {
        char *path = in_folder(names[i]);
        CU_ASSERT_EQUAL(cmus_case_picture_write(path, &drawn.picture), CMUS_ERROR_IO);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), names[i]));
        CU_ASSERT_EQUAL(cmus_case_page_write(path, &drawn.picture, NULL, NULL), CMUS_ERROR_IO);
        CU_ASSERT_EQUAL(cmus_case_pages_index(path, links, 4), CMUS_ERROR_IO);
        cmus_free(path);
    }
    CU_ASSERT_EQUAL(entries(), before);
    cmus_free(taken);
    drawn_case_free(&drawn);
}

/* Noise is what compresses worst. */
static void page_stays_small(void) {
    enum { SIZE = 224, SIDE = 7 };
    drawn_case drawn;
    drawn_case_make(&drawn, DRAWN_MOST_TEM);
    uint8_t *noise = cmus_allocate_raw((size_t)SIZE * SIZE, 3);
    float heat[SIDE * SIDE];
    uint32_t state = 1;
    for (size_t i = 0; i < (size_t)3 * SIZE * SIZE; i++)
        noise[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    for (int i = 0; i < SIDE * SIDE; i++)
        heat[i] = (float)((state = state * 1664525u + 1013904223u) >> 24);
    drawn.picture.size = SIZE;
    drawn.picture.side = SIDE;
    cmus_picture_image *images[DRAWN_MOST_TEM + 2] = {&drawn.picture.om, &drawn.picture.im};
    for (int i = 0; i < DRAWN_MOST_TEM; i++)
        images[i + 2] = &drawn.tem[i];
    for (int i = 0; i < DRAWN_MOST_TEM + 2; i++) {
        images[i]->rgb = noise;
        images[i]->heat = heat;
    }
    drawn.picture.om.attention = drawn.picture.im.attention = heat;
    char *page = write_page(&drawn.picture, NULL, NULL);
    CU_ASSERT(strlen(page) < 2000000);
    cmus_free(page);
    cmus_free(noise);
    drawn_case_free(&drawn);
}

/* Pages for a browser; returns the exit code. */
static int leave_pages(const char *where) {
    drawn_case usual, hostile;
    drawn_case_make(&usual, 3);
    usual.heat[DRAWN_MOST_TEM][4] = usual.heat[0][4] = 1;
    usual.tem[2].kept = false;
    usual.picture.im.rgb = NULL;
    drawn_case_make_hostile(&hostile);
    char *first = cmus_path_join(where, "usual.html"), *second = cmus_path_join(where, "hostile.html");
    char *index = cmus_path_join(where, "index.html");
    bool done = cmus_case_page_write(first, &usual.picture, NULL, "hostile.html") == CMUS_OK &&
                cmus_case_page_write(second, &hostile.picture, "usual.html", NULL) == CMUS_OK &&
                cmus_case_pages_index(index, links, sizeof links / sizeof links[0]) == CMUS_OK;
    if (!done)
        fprintf(stderr, "%s\n", cmus_last_error());
    cmus_free(first);
    cmus_free(second);
    cmus_free(index);
    drawn_case_free(&usual);
    drawn_case_free(&hostile);
    return !done;
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"colours grow with heat", colours_grow_with_heat},
        {"maps are blended", maps_are_blended},
        {"the heaviest first", heaviest_first},
        {"heat is where it is", heat_is_where_it_is},
        {"one scale for the bag", one_scale_for_the_bag},
        {"what is left out is gray and last", left_out_is_gray_and_last},
        {"all cases are drawn", all_cases_are_drawn},
        {"extremes are drawn", extremes_are_drawn},
        {"words say what is missing", words_say_what_is_missing},
        {"attention has a scale", attention_has_a_scale},
        {"the page tells everything", page_tells_everything},
        {"names are no code", names_are_no_code},
        {"the index marks wrong cases", index_marks_wrong_cases},
        {"failures leave nothing", failures_leave_nothing},
        {"the page stays small", page_stays_small},
    };
    if (argc == 2)
        return leave_pages(argv[1]);
    if (!mkdtemp(folder))
        return 1;
    int failed = unit_main("case_picture", tests, sizeof tests / sizeof tests[0]);
    return cmus_folder_remove(folder) != CMUS_OK || failed;
}
