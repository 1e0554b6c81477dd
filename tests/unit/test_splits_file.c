/* splits.csv against its data set: what it must be, and every offender named. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/splits.h"
#include "scratch_dataset.h"
#include "unit.h"

enum { CASES = 8 };
static const char path[] = "splits_scratch/splits.csv";
/* Four patients with a case of class A and one of B each. */
#define P1 "A/p0,p1,A,0,0\nB/p1,p1,B,0,0\n"
#define P2 "A/p2,\"p\xC3\xA4,2\",A,0,1\nB/p3,\"p\xC3\xA4,2\",B,0,1\n"
#define P3 "A/p4,007,A,0,0\nB/p5,007,B,0,0\n"
#define P4 "A/p6,p4,A,0,1\nB/p7,p4,B,0,1\n"

static int one_image(int case_index) {
    (void)case_index;
    return 1;
}

static cmus_dataset *open_dataset(void) {
    static const char *const patients[CASES] = {"p1", "p1", "p\xC3\xA4,2", "p\xC3\xA4,2", "007", "007", "p4", "p4"};
    scratch_dataset scratch = {
        .folder = "splits_scratch", .cases = CASES, .side = 8, .bag_of = one_image, .patients = patients};
    scratch_dataset_write(&scratch);
    cmus_dataset *dataset;
    CU_ASSERT_EQUAL_FATAL(cmus_dataset_open(scratch.folder, &dataset), CMUS_OK);
    return dataset;
}

static void close_dataset(cmus_dataset *dataset) {
    cmus_dataset_close(dataset);
    cmus_folder_remove("splits_scratch");
}

static cmus_status read_splits(const cmus_dataset *dataset, const char *lines, cmus_splits *splits,
                               cmus_splits_faults *faults) {
    char *text = cmus_format_string("case_id,patient_id,class,repeat,fold\n%s", lines);
    cmus_file_write(path, text, strlen(text));
    cmus_free(text);
    return cmus_splits_read(path, dataset, splits, faults);
}

static void what_is_written_is_read(void) {
    static const int wanted[CASES] = {0, 0, 1, 1, CMUS_FOLD_HOLDOUT, CMUS_FOLD_HOLDOUT, 1, 1};
    cmus_dataset *dataset = open_dataset();
    cmus_splits splits, again;
    CU_ASSERT_EQUAL_FATAL(read_splits(dataset, P4 P2 P1 "A/p4,007,A,0,holdout\nB/p5,007,B,0,holdout\n", &splits, NULL),
                          CMUS_OK);
    CU_ASSERT_EQUAL(splits.folds, 2);
    CU_ASSERT_EQUAL(splits.repeats, 1);
    CU_ASSERT_EQUAL(memcmp(splits.fold, wanted, sizeof wanted), 0);
    CU_ASSERT_EQUAL(cmus_splits_write(path, dataset, &splits), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_splits_read(path, dataset, &again, NULL), CMUS_OK);
    CU_ASSERT_EQUAL(memcmp(again.fold, wanted, sizeof wanted), 0);
    cmus_splits_free(&splits);
    cmus_splits_free(&again);
    close_dataset(dataset);
}

static void what_breaks_a_rule_is_refused(void) {
    static const struct {
        const char *lines, *words;
        cmus_status status;
    } wrong[] = {
        {P1 P2 P3 "A/p6,p4,A,0,1\n", "B/p7 has no line for repeat 0", CMUS_ERROR_MISMATCH},
        {P1 P2 P3 P4 "B/p7,p4,B,0,1\n", "line 10: B/p7 is there twice in repeat 0", CMUS_ERROR_MISMATCH},
        {P1 P2 P3 "A/p6,4,A,0,1\nB/p7,p4,B,0,1\n", "the patient of A/p6 is p4 in", CMUS_ERROR_MISMATCH},
        {P1 P2 P3 "A/p6,p4,B,0,1\nB/p7,p4,B,0,1\n", "the class of A/p6 is A in", CMUS_ERROR_MISMATCH},
        {P1 P2 P3 P4 "C/p8,p4,B,0,1\n", "line 10: the case C/p8 is not", CMUS_ERROR_MISMATCH},
        {P1 P2 P3 "A/p6,p4,A,0,0\nB/p7,p4,B,0,1\n",
         "the patient p4 is in two folds of repeat 0: 0 (case A/p6) and 1 (case B/p7)", CMUS_ERROR_DATA},
        {P1 P2 P3 "A/p6,p4,A,0,1\nB/p7,p4,B,0,holdout\n", "p4 is in two folds of repeat 0: 1 (case A/p6) and holdout",
         CMUS_ERROR_DATA},
        {P1 P2 P3 "A/p6,p4,A,0,3\nB/p7,p4,B,0,3\n", "fold 2 of repeat 0 is empty", CMUS_ERROR_DATA},
        {P1 "A/p2,\"p\xC3\xA4,2\",A,0,0\nB/p3,\"p\xC3\xA4,2\",B,0,0\n" P3 "A/p6,p4,A,0,0\nB/p7,p4,B,0,0\n",
         "two or more", CMUS_ERROR_DATA},
        {P1 P2 P3 "A/p6,p4,A,9999,1\n", "9999", CMUS_ERROR_DATA},
        {P1 P2 P3 "A/p6,p4,A,0,-1\n", "fold", CMUS_ERROR_LIMIT},
        {P1 P2 P3 "A/p6,p4,A,0,x\n", "line 8, column", CMUS_ERROR_FORMAT},
    };
    cmus_dataset *dataset = open_dataset();
    cmus_splits splits;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(read_splits(dataset, wrong[i].lines, &splits, NULL), wrong[i].status);
        CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), wrong[i].words));
        CU_ASSERT_PTR_NULL(splits.fold);
    }
    close_dataset(dataset);
}

/* A case of p4 goes to fold 2, which so lacks a class. */
static void each_class_is_in_each_fold(void) {
    cmus_dataset *dataset = open_dataset();
    cmus_splits splits;
    CU_ASSERT_EQUAL(read_splits(dataset, P1 P2 P3 "A/p6,p4,A,0,2\nB/p7,p4,B,0,holdout\n", &splits, NULL),
                    CMUS_ERROR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "(2 faults)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "fold 2 of repeat 0 has no case of the class B"));
    close_dataset(dataset);
}

static bool has(const cmus_splits_faults *faults, const char *text) {
    for (size_t i = 0; i < faults->count; i++)
        if (strcmp(faults->texts[i], text) == 0)
            return true;
    return false;
}

static void every_offender_is_listed(void) {
    cmus_dataset *dataset = open_dataset();
    cmus_splits splits;
    cmus_splits_faults faults = {0};
    CU_ASSERT_EQUAL(read_splits(dataset,
                                "A/p0,p1,A,0,0\nB/p1,p1,B,0,1\n" P2 "A/p4,007,A,0,1\nB/p5,007,B,0,0\nA/p6,p4,A,0,2\n",
                                &splits, &faults),
                    CMUS_ERROR_MISMATCH);
    CU_ASSERT_EQUAL(faults.count, 4);
    CU_ASSERT(has(&faults, "B/p7 has no line for repeat 0"));
    CU_ASSERT(has(&faults, "the patient p1 is in two folds of repeat 0: 0 (case A/p0) and 1 (case B/p1)"));
    CU_ASSERT(has(&faults, "the patient 007 is in two folds of repeat 0: 1 (case A/p4) and 0 (case B/p5)"));
    CU_ASSERT(has(&faults, "fold 2 of repeat 0 has no case of the class B"));
    cmus_splits_faults_free(&faults);
    close_dataset(dataset);
}

/* A message has an end; the list has all. */
static void a_long_list_is_cut_in_the_message_only(void) {
    cmus_dataset *dataset = open_dataset();
    cmus_splits splits;
    cmus_splits_faults faults = {0};
    char lines[20000] = P1 P2 P3 P4;
    for (int i = 0; i < 200; i++)
        strcat(lines, "A/a-case-that-is-not-in-the-data-set,p1,A,0,0\n");
    CU_ASSERT_EQUAL(read_splits(dataset, lines, &splits, &faults), CMUS_ERROR_MISMATCH);
    CU_ASSERT_EQUAL(faults.count, 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "(200 faults)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "more; cmus-split --check lists all"));
    cmus_splits_faults_free(&faults);
    close_dataset(dataset);
}

int main(void) {
    static const unit_test tests[] = {
        {"what is written is read", what_is_written_is_read},
        {"what breaks a rule is refused", what_breaks_a_rule_is_refused},
        {"each class is in each fold", each_class_is_in_each_fold},
        {"every offender is listed", every_offender_is_listed},
        {"a long list is cut in the message only", a_long_list_is_cut_in_the_message_only},
    };
    return unit_main("splits.csv", tests, sizeof tests / sizeof tests[0]);
}
