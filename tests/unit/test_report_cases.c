/* What the page of cmus-report says of single cases and of a run as a whole. */
#include <math.h>
#include <string.h>

#include "cmus/base64.h"
#include "cmus/memory.h"
#include "report/cases.h"
#include "report/config_text.h"
#include "report/data_summary.h"
#include "report/run_facts.h"
#include "unit.h"

/* The test vectors of RFC 4648, section 10. */
static void test_base64(void) {
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xFB\xFF\xBF", "+/+/"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t size = strlen(pairs[i][0]);
        char *text = cmus_base64((const uint8_t *)pairs[i][0], size);
        CU_ASSERT_STRING_EQUAL(text, pairs[i][1]);
        CU_ASSERT_EQUAL(cmus_base64_size(size), strlen(pairs[i][1]));
        cmus_free(text);
    }
}

static void test_config(void) {
    static const char config[] =
        "lr: 5e-5   # the rate\nlr_min: 1e-6\ntrace: \"a # b\"\nstage: ''\r\nempty:\nlast: no end";
    static const char *const pairs[][2] = {{"lr", "5e-5"}, {"lr_min", "1e-6"}, {"trace", "a # b"},
                                           {"stage", ""},  {"empty", ""},      {"last", "no end"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CU_ASSERT(report_config_is(config, pairs[i][0], pairs[i][1]));
    }
    CU_ASSERT_PTR_NULL(report_config_value(config, "l"));
    CU_ASSERT_PTR_NULL(report_config_value(config, "min"));
    CU_ASSERT_FALSE(report_config_is(config, "l", ""));
}

static void test_hours(void) {
    CU_ASSERT_EQUAL(report_hours_between("2025-01-31T23:30:00Z", "2025-02-01T01:00:00Z"), 1.5);
    CU_ASSERT(isnan(report_hours_between(NULL, "2025-02-01T01:00:00Z")));
    CU_ASSERT(isnan(report_hours_between("2025-02-01T01:00:00Z", "yesterday")));
    static const struct {
        double hours;
        const char *text;
    } texts[] = {{0.01, "36 s"}, {0.5, "30 min"}, {7.5, "7.50 h"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = report_hours_text(texts[i].hours);
        CU_ASSERT_STRING_EQUAL(text, texts[i].text);
        cmus_free(text);
    }
}

/* Two folds of three cases and two classes; the first case of the second fold is a repeat of the first of all. */
static double fusion[2][3][2] = {{{.9, .1}, {.4, .6}, {.3, .7}}, {{.2, .8}, {.1, .9}, {.95, .05}}};
static double om[2][3][2] = {{{.9, .1}, {.6, .4}, {.3, .7}}, {{.2, .8}, {.1, .9}, {.05, .95}}};
static int labels[2][3] = {{0, 0, 1}, {0, 1, 1}};
static char *case_ids[2][3] = {{(char[]){"A/1"}, (char[]){"A/2"}, (char[]){"B/3"}},
                               {(char[]){"A/1"}, (char[]){"B/4"}, (char[]){"B/5"}}};
static char *patients[2][3] = {{(char[]){"1"}, (char[]){"2"}, (char[]){"3"}},
                               {(char[]){"1"}, (char[]){"3"}, (char[]){"5"}}};
static int images[2][3] = {{4, 2, 7}, {4, 3, 5}};
static report_fold folds[2];
static const report_fold *used[2] = {&folds[0], &folds[1]};

static report_evaluation small_evaluation(void) {
    for (int i = 0; i < 2; i++)
        folds[i].predictions = (report_predictions){.cases = 3,
                                                    .classes = 2,
                                                    .case_ids = case_ids[i],
                                                    .patient_ids = patients[i],
                                                    .labels = labels[i],
                                                    .tem_images = images[i],
                                                    .probabilities = {fusion[i][0], om[i][0]}};
    return (report_evaluation){
        .classes = 2, .cases = 6, .folds = 2, .used = used, .heads = {{.present = true}, {.present = true}}};
}

static void test_list(void) {
    static const char *const order[] = {"B/5", "A/1", "A/2", "B/3", "A/1", "B/4"}; /* wrong ones: .95 .8 .6 */
    static const int agreeing[] = {0, 1, 0, 1, 1, 1};
    report_evaluation evaluation = small_evaluation();
    size_t count, wrong;
    report_case *list = report_cases_list(&evaluation, true, &count, &wrong);
    CU_ASSERT_EQUAL_FATAL(count, 6);
    CU_ASSERT_EQUAL(wrong, 3);
    for (size_t i = 0; i < count; i++) {
        int heads;
        CU_ASSERT_STRING_EQUAL(list[i].id, order[i]);
        CU_ASSERT_EQUAL(list[i].wrong, i < 3);
        CU_ASSERT_EQUAL(report_case_agreement(&evaluation, &list[i], &heads), agreeing[i]);
        CU_ASSERT_EQUAL(heads, 1);
    }
    cmus_free(list);
    list = report_cases_list(&evaluation, false, &count, &wrong);
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CU_ASSERT_STRING_EQUAL(list[2].id, "A/2");
    cmus_free(list);
}

static void test_summary(void) {
    report_evaluation evaluation = small_evaluation();
    report_class_summary classes[2];
    report_data_summary(&evaluation, classes);
    CU_ASSERT_EQUAL(classes[0].cases, 2);
    CU_ASSERT_EQUAL(classes[0].patients, 2);
    CU_ASSERT_EQUAL(classes[0].tem_images, 6);
    CU_ASSERT_EQUAL(classes[1].cases, 3);
    CU_ASSERT_EQUAL(classes[1].patients, 2);
    CU_ASSERT_EQUAL(classes[1].tem_images, 15);
    CU_ASSERT_EQUAL(classes[1].tem_fewest, 3);
    CU_ASSERT_EQUAL(classes[1].tem_most, 7);
}

static void test_facts(void) {
    static const char *const texts[] = {
        "{\"started\": \"2025-01-01T00:00:00Z\", \"ended\": \"2025-01-01T02:00:00Z\", \"ranks\": 2, \"threads\": 4,"
        " \"hosts\": [\"n10\", \"n2\"], \"energy_joules\": 3600000.0}",
        "{\"started\": \"2025-01-01T00:00:00Z\", \"ended\": \"2025-01-01T01:00:00Z\", \"ranks\": 2, \"threads\": 8,"
        " \"hosts\": [\"n2\", \"n2\"], \"energy_joules\": 7200000}"};
    report_evaluation evaluation = small_evaluation();
    for (int i = 0; i < 2; i++)
        folds[i].information = json_loads(texts[i], 0, NULL);
    report_run_facts facts;
    report_run_facts_read(&evaluation, &facts);
    CU_ASSERT_EQUAL(facts.hours, 3);
    CU_ASSERT_EQUAL(facts.fewest_hours, 1);
    CU_ASSERT_EQUAL(facts.most_hours, 2);
    CU_ASSERT_EQUAL(facts.core_hours, 32);
    CU_ASSERT_EQUAL(facts.kilowatt_hours, 3);
    CU_ASSERT_EQUAL(facts.ranks, 2);
    CU_ASSERT_EQUAL(facts.threads, 0);
    CU_ASSERT_EQUAL_FATAL(facts.host_count, 2);
    CU_ASSERT_STRING_EQUAL(facts.hosts[0], "n2");
    CU_ASSERT_STRING_EQUAL(facts.hosts[1], "n10");
    report_run_facts_free(&facts);
    json_object_set_new(folds[1].information, "energy_joules", json_null());
    json_object_del(folds[0].information, "ended");
    report_run_facts_read(&evaluation, &facts);
    CU_ASSERT(isnan(facts.kilowatt_hours) && isnan(facts.hours));
    report_run_facts_free(&facts);
    for (int i = 0; i < 2; i++)
        json_decref(folds[i].information);
}

static const unit_test tests[] = {
    {"base64", test_base64},      {"configuration", test_config}, {"hours", test_hours},
    {"list of cases", test_list}, {"data set", test_summary},     {"facts", test_facts},
};

int main(void) {
    return unit_main("report_cases", tests, sizeof tests / sizeof *tests);
}
