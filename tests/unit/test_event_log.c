/* Event files: the bytes that TensorBoard's own writer makes (golden/events.tfevents), and their names. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "cmus/event_log.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "unit.h"

static const char FOLDER[] = "event_scratch";

static void begin(void) {
    cmus_folder_remove(FOLDER);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(FOLDER), CMUS_OK);
}

static void expect_same(const char *path, const char *expected) {
    char *made, *golden;
    size_t made_size, golden_size;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &made, &made_size), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(expected, 1 << 20, &golden, &golden_size), CMUS_OK);
    CU_ASSERT_EQUAL(made_size, golden_size);
    CU_ASSERT(made_size == golden_size && memcmp(made, golden, made_size) == 0);
    cmus_free(made);
    cmus_free(golden);
}

static void bytes_are_those_of_tensorboard(void) {
    char tag[201] = "";
    memset(tag, 'x', 200);
    const cmus_scalar one[] = {{"a", 0}}, three[] = {{"loss/train", 1.5}, {"loss/held_out", -0.1}, {tag, 1e-30}},
                      unusual[] = {{"gradient_norm", INFINITY}, {"auc", NAN}};
    cmus_event_log *log;
    begin();
    CU_ASSERT_EQUAL_FATAL(cmus_event_log_open(FOLDER, "host", 1700000000, 7, &log), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_event_log_add(log, 1700000001.5, 0, one, 1), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_event_log_add(log, 1700000002.25, 7, three, 3), CMUS_OK);
    CU_ASSERT_EQUAL(cmus_event_log_add(log, 1700000003, 123456789012, unusual, 2), CMUS_OK);
    cmus_event_log_close(log);
    expect_same("event_scratch/events.out.tfevents.1700000000.host", EVENTS_GOLDEN);
}

/* TensorBoard reads the files of a folder by their names: one that is begun later must come later. */
static void names_rise_whatever_the_clock_says(void) {
    static const double clocks[] = {1700000000, 1700000000, 1600000000, 1700000009};
    static const char *const names[] = {"events.out.tfevents.1700000000.b", "events.out.tfevents.1700000001.a",
                                        "events.out.tfevents.1700000002.a", "events.out.tfevents.1700000009.a"};
    begin();
    for (int i = 0; i < 4; i++) {
        cmus_event_log *log;
        CU_ASSERT_EQUAL_FATAL(cmus_event_log_open(FOLDER, i ? "a" : "b", clocks[i], 1, &log), CMUS_OK);
        cmus_event_log_close(log);
        char *path = cmus_path_join(FOLDER, names[i]);
        CU_ASSERT(cmus_file_exists(path));
        cmus_free(path);
    }
}

static void failures_are_told(void) {
    cmus_event_log *log;
    cmus_folder_remove(FOLDER);
    CU_ASSERT_NOT_EQUAL(cmus_event_log_open(FOLDER, "host", 1, 1, &log), CMUS_OK);
    CU_ASSERT_PTR_NULL(log);
    begin();
    CU_ASSERT_EQUAL(cmus_event_log_open(FOLDER, "no/host", 1, 1, &log), CMUS_ERROR_IO);
    CU_ASSERT_PTR_NULL(log);
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){100, limit.rlim_max}; /* as a full disk: the first records still go in */
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(cmus_event_log_open(FOLDER, "host", 1, 1, &log), CMUS_OK);
    setrlimit(RLIMIT_FSIZE, &small);
    CU_ASSERT_EQUAL(cmus_event_log_add(log, 1, 1, (const cmus_scalar[]){{"a", 0}}, 1), CMUS_ERROR_IO);
    setrlimit(RLIMIT_FSIZE, &limit);
    cmus_event_log_close(log);
}

int main(void) {
    static const unit_test tests[] = {
        {"bytes are those of TensorBoard", bytes_are_those_of_tensorboard},
        {"names rise, whatever the clock says", names_rise_whatever_the_clock_says},
        {"failures are told", failures_are_told},
    };
    return unit_main("event_log", tests, sizeof tests / sizeof tests[0]);
}
