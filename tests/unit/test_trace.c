/* The timeline: what is kept, packed, written, and read back by a JSON parser. What one test keeps stays for the next
 * ones, so that each looks for names of its own. */
#include "cmus/trace.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "unit.h"

static char path[64];

static void wait(double seconds) {
    double until = cmus_seconds() + seconds;
    while (cmus_seconds() < until)
        ;
}

/* Writes what this process has kept as the timeline of so many ranks, each `shift` seconds after the one before. */
static json_t *written(int ranks, const char *hosts, double zero, double shift) {
    char *all = NULL;
    size_t total = 0, sizes[8];
    for (int rank = 0; rank < ranks; rank++) {
        char *block;
        cmus_trace_take(zero - rank * shift, &block, &sizes[rank]);
        char *larger = cmus_allocate(total + sizes[rank], 1);
        memcpy(larger, all ? all : "", total);
        memcpy(larger + total, block, sizes[rank]);
        cmus_free(all);
        cmus_free(block);
        all = larger;
        total += sizes[rank];
    }
    CU_ASSERT_EQUAL_FATAL(cmus_trace_write(path, all, sizes, ranks, hosts), CMUS_OK);
    cmus_free(all);
    json_error_t error;
    json_t *timeline = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!timeline)
        printf("%s:%d: %s\n", path, error.line, error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(timeline);
    return timeline;
}

static json_t *events_of(const json_t *timeline) {
    return json_object_get(timeline, "traceEvents");
}

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static bool is_span(const json_t *event) {
    return strcmp(text(event, "ph"), "X") == 0;
}

/* The spans of a rank with that name. */
static size_t count_named(const json_t *timeline, int rank, const char *name) {
    size_t at, count = 0;
    const json_t *event;
    json_array_foreach(events_of(timeline), at, event) {
        count += is_span(event) && number(event, "pid") == rank && strcmp(text(event, "name"), name) == 0;
    }
    return count;
}

static const json_t *first_named(const json_t *timeline, const char *name) {
    size_t at;
    const json_t *event;
    json_array_foreach(events_of(timeline), at, event) {
        if (strcmp(text(event, "name"), name) == 0)
            return event;
    }
    CU_FAIL_FATAL("no such event");
    return NULL;
}

/* The value of a metadata event; a thread of 0 is the process itself. */
static const char *metadata(const json_t *timeline, const char *kind, int rank, int thread, const char *key) {
    size_t at;
    const json_t *event;
    json_array_foreach(events_of(timeline), at, event) {
        if (strcmp(text(event, "name"), kind) == 0 && number(event, "pid") == rank && number(event, "tid") == thread)
            return text(json_object_get(event, "args"), key);
    }
    return "";
}

static void span(cmus_activity activity, const char *name) {
    double began = cmus_trace_begin();
    cmus_trace_end(activity, name, began);
}

static void seconds_count_when_nothing_is_kept(void) {
    double before = cmus_trace_seconds(CMUS_ACTIVITY_LOADING), began = cmus_trace_begin();
    wait(0.01);
    cmus_trace_end(CMUS_ACTIVITY_LOADING, "not kept", began);
    double counted = cmus_trace_seconds(CMUS_ACTIVITY_LOADING) - before;
    CU_ASSERT(counted >= 0.0099 && counted < 1);
    json_t *timeline = written(1, "n0", 0, 0);
    CU_ASSERT_EQUAL(count_named(timeline, 0, "not kept"), 0);
    json_decref(timeline);
}

static void spans_nest(void) {
    cmus_trace_keep(true);
    double zero = cmus_seconds(), compute = cmus_trace_seconds(CMUS_ACTIVITY_COMPUTE),
           waiting = cmus_trace_seconds(CMUS_ACTIVITY_WAITING);
    double outer = cmus_trace_begin();
    wait(0.01);
    double inner = cmus_trace_begin(), innermost = cmus_trace_begin();
    wait(0.02);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "innermost", innermost);
    cmus_trace_end(CMUS_ACTIVITY_WAITING, "inner", inner);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "outer", outer);
    double all = cmus_seconds() - zero;
    compute = cmus_trace_seconds(CMUS_ACTIVITY_COMPUTE) - compute;
    waiting = cmus_trace_seconds(CMUS_ACTIVITY_WAITING) - waiting;
    CU_ASSERT(compute >= 0.0299 && compute <= all);
    CU_ASSERT(waiting < 0.01); /* without the innermost */
    CU_ASSERT(compute + waiting <= all);

    json_t *timeline = written(1, "n0", zero, 0);
    const json_t *first = first_named(timeline, "outer"), *second = first_named(timeline, "inner");
    CU_ASSERT(number(first, "ts") < number(second, "ts"));
    CU_ASSERT(number(first, "ts") + number(first, "dur") >= number(second, "ts") + number(second, "dur"));
    CU_ASSERT(number(first, "dur") >= 29900 && number(first, "dur") <= 1e6 * all);
    CU_ASSERT_STRING_EQUAL(text(first, "cat"), "compute");
    CU_ASSERT_STRING_EQUAL(text(second, "cat"), "waiting");
    json_decref(timeline);
}

/* Spans that were begun and never ended, as after a failure, must not spoil those that come later. */
static void a_forgotten_end_does_no_harm(void) {
    double outer = cmus_trace_begin();
    for (int i = 0; i < 40; i++)
        cmus_trace_begin();
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "with forgotten ones", outer);
    double before = cmus_trace_seconds(CMUS_ACTIVITY_WAITING), began = cmus_trace_begin();
    double inner = cmus_trace_begin();
    wait(0.01);
    cmus_trace_end(CMUS_ACTIVITY_COMPUTE, "inside", inner);
    cmus_trace_end(CMUS_ACTIVITY_WAITING, "around", began);
    CU_ASSERT(cmus_trace_seconds(CMUS_ACTIVITY_WAITING) - before < 0.005);
}

enum { THREADS = 4, SPANS_EACH = 5000 };
static const char *const many[THREADS] = {"many 0", "many 1", "many 2", "many 3"};
static atomic_int running;

static void *make_many(void *which) {
    int own = *(int *)which;
    if (own > 0)
        cmus_trace_thread(own == 1 ? "reader" : "sender");
    for (int i = 0; i < SPANS_EACH; i++)
        span(CMUS_ACTIVITY_LOADING, many[own]);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void threads_write_at_once(void) {
    cmus_trace_keep(true);
    pthread_t threads[THREADS];
    int which[THREADS];
    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        which[i] = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, make_many, &which[i]), 0);
    }
    char *block = NULL;
    size_t size = 0;
    do { /* what is taken meanwhile must be whole */
        cmus_free(block);
        cmus_trace_take(0, &block, &size);
    } while (atomic_load(&running) > 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(cmus_trace_write(path, block, &size, 1, "n0"), CMUS_OK);
    cmus_free(block);
    json_t *timeline = written(1, "n0", 0, 0);
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(count_named(timeline, 0, many[i]), SPANS_EACH);
    int own = (int)number(first_named(timeline, many[0]), "tid"),
        reader = (int)number(first_named(timeline, many[1]), "tid");
    int main_thread = (int)number(first_named(timeline, "outer"), "tid");
    CU_ASSERT_NOT_EQUAL(own, reader);
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "thread_name", 0, own, "name"), "thread");
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "thread_name", 0, reader, "name"), "reader");
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "thread_name", 0, main_thread, "name"), "main");
    json_decref(timeline);
}

static void *make_one(void *name) {
    cmus_trace_thread("made anew");
    span(CMUS_ACTIVITY_LOADING, name);
    return NULL;
}

static void a_thread_made_anew_goes_on_in_its_row(void) {
    cmus_trace_keep(true);
    static char first[] = "first life", second[] = "second life";
    char *const names[] = {first, second};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, make_one, names[i]), 0);
        pthread_join(thread, NULL);
    }
    json_t *timeline = written(1, "n0", 0, 0);
    CU_ASSERT_EQUAL(number(first_named(timeline, first), "tid"), number(first_named(timeline, second), "tid"));
    json_decref(timeline);
}

/* Every event has its fields; spans of a thread come in the order of their beginnings. */
static void check_events(const json_t *timeline, int ranks) {
    size_t at;
    const json_t *event, *before = NULL;
    int wrong = 0;
    json_array_foreach(events_of(timeline), at, event) {
        bool same = json_is_integer(json_object_get(event, "pid")) && json_is_integer(json_object_get(event, "tid")) &&
                    strlen(text(event, "name")) > 0 && number(event, "pid") >= 0 && number(event, "pid") < ranks;
        wrong += !same;
        if (!is_span(event)) {
            wrong += strcmp(text(event, "ph"), "M") != 0 || !json_is_object(json_object_get(event, "args"));
            continue;
        }
        bool known = false;
        for (int i = 0; i < CMUS_ACTIVITIES; i++)
            known = known || strcmp(text(event, "cat"), cmus_activity_names[i]) == 0;
        wrong += !known || strlen(text(event, "cname")) == 0 || !json_is_number(json_object_get(event, "ts")) ||
                 !json_is_number(json_object_get(event, "dur")) || number(event, "ts") < 0 || number(event, "dur") < 0;
        if (before && number(before, "pid") == number(event, "pid") && number(before, "tid") == number(event, "tid"))
            wrong += number(before, "ts") > number(event, "ts");
        before = event;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void three_ranks_are_written(void) {
    cmus_trace_keep(true);
    double zero = cmus_seconds();
    const char *strange = "a \"quoted\" \\ name\n\tof\x01 \xc3\xa4";
    span(CMUS_ACTIVITY_COMMUNICATION, strange);
    json_t *timeline = written(3, "n1\0n1\0n\"2", zero, 1.5);
    check_events(timeline, 3);
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "process_name", 0, 0, "name"), "rank 0 on host n1");
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "process_name", 1, 0, "name"), "rank 1 on host n1");
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "process_name", 2, 0, "name"), "rank 2 on host n\"2");
    double times[3] = {-1, -1, -1};
    size_t at;
    const json_t *event;
    json_array_foreach(events_of(timeline), at, event) {
        if (strcmp(text(event, "name"), strange) == 0)
            times[(int)number(event, "pid")] = number(event, "ts");
    }
    CU_ASSERT_DOUBLE_EQUAL(times[1] - times[0], 1.5e6, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(times[2] - times[0], 3e6, 0.01);
    /* the timeline begins with the first span, as all of the earlier tests' lie before zero */
    double first = INFINITY;
    json_array_foreach(events_of(timeline), at, event) {
        if (is_span(event))
            first = fmin(first, number(event, "ts"));
    }
    CU_ASSERT_EQUAL(first, 0);
    CU_ASSERT_EQUAL(number(json_object_get(timeline, "otherData"), "ranks"), 3);
    CU_ASSERT_EQUAL(number(json_object_get(timeline, "otherData"), "dropped_spans"), 0);
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "process_labels", 0, 0, "labels"), "");
    json_decref(timeline);
}

/* Bytes that no rank packed: each is refused, and no file appears. */
static void damaged_blocks_are_refused(void) {
    char *block, copy[64];
    size_t size;
    cmus_trace_take(0, &block, &size);
    unlink(path);
    CU_ASSERT_FATAL(size > sizeof copy);
    for (size_t cut = 1; cut < size; cut = cut * 2 + 1) {
        size_t shorter = size - cut;
        CU_ASSERT_EQUAL(cmus_trace_write(path, block, &shorter, 1, "n1"), CMUS_ERROR_FORMAT);
    }
    for (size_t at = 0; at < 64; at += 4) { /* counts, name and spans; not what was dropped, nor a thread's number */
        if (at >= 32 && at < 48)
            continue;
        memcpy(copy, block, sizeof copy);
        memset(block + at, 0xff, 4);
        CU_ASSERT_EQUAL(cmus_trace_write(path, block, &size, 1, "n1"), CMUS_ERROR_FORMAT);
        memcpy(block, copy, sizeof copy);
    }
    CU_ASSERT(!cmus_file_exists(path));
    CU_ASSERT_EQUAL(cmus_trace_write("/nowhere/at/all", block, &size, 1, "n1"), CMUS_ERROR_IO);
    CU_ASSERT_EQUAL(cmus_trace_write(path, block, &size, 1, "n1"), CMUS_OK);
    cmus_free(block);
}

/* Last: the limit holds for the rest of the process. */
static void what_is_too_much_is_counted(void) {
    enum { MORE = 3000, OVER = 17 };
    cmus_trace_keep(true);
    cmus_trace_limit(0); /* the calling thread fills the piece that it has */
    for (int i = 0; i < MORE; i++)
        span(CMUS_ACTIVITY_COMPUTE, "fills");
    json_t *timeline = written(1, "n1", 0, 0);
    size_t filled = count_named(timeline, 0, "fills");
    CU_ASSERT(filled < 1024);
    size_t dropped = MORE - filled;
    CU_ASSERT_EQUAL(number(json_object_get(timeline, "otherData"), "dropped_spans"), dropped);
    char label[64];
    snprintf(label, sizeof label, "%zu spans not kept", dropped);
    CU_ASSERT_STRING_EQUAL(metadata(timeline, "process_labels", 0, 0, "labels"), label);
    json_decref(timeline);

    cmus_trace_limit(CMUS_TRACE_SPANS);
    for (size_t i = 0; i < CMUS_TRACE_SPANS; i++)
        span(CMUS_ACTIVITY_COMPUTE, "too many");
    char *block;
    size_t size, full;
    cmus_trace_take(0, &block, &full);
    cmus_free(block);
    CU_ASSERT(full >= (size_t)(CMUS_TRACE_SPANS - 8192) * 24 && full < (size_t)CMUS_TRACE_SPANS * 24 + 8192);
    for (int i = 0; i < OVER; i++)
        span(CMUS_ACTIVITY_COMPUTE, "too many");
    cmus_trace_take(0, &block, &size);
    cmus_free(block);
    CU_ASSERT_EQUAL(size, full);
}

static void times_are_told(void) {
    cmus_epoch_times times = {.wall = 20,
                              .activity = {18.24, 2.46, 0.6, 1.02},
                              .waiting_data = 0.04,
                              .waiting_gradients = 0.82,
                              .waiting_weights = 0.16,
                              .reducer_busy = 2.46,
                              .reducer_exposed = 0.3};
    char *line = cmus_epoch_times_text(&times);
    CU_ASSERT_STRING_EQUAL(line, "compute 91.2 %, waiting 5.1 % (data 0.2, gradients 4.1, weights 0.8), "
                                 "communication 12.3 %, of which 88 % hidden, loading 3.0 %");
    cmus_free(line);
    times.activity[CMUS_ACTIVITY_COMMUNICATION] = 4.92; /* half of it outside of the reducer */
    line = cmus_epoch_times_text(&times);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "communication 24.6 %, of which 44 % hidden,"));
    cmus_free(line);
    times.reducer_exposed = 5;
    line = cmus_epoch_times_text(&times);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "of which 0 % hidden"));
    cmus_free(line);
    line = cmus_epoch_times_text(&(cmus_epoch_times){.wall = 0});
    CU_ASSERT_STRING_EQUAL(line, "compute 0.0 %, waiting 0.0 % (data 0.0, gradients 0.0, weights 0.0), "
                                 "communication 0.0 %, loading 0.0 %");
    cmus_free(line);
}

int main(void) {
    static const unit_test tests[] = {
        {"seconds count when nothing is kept", seconds_count_when_nothing_is_kept},
        {"spans nest", spans_nest},
        {"a forgotten end does no harm", a_forgotten_end_does_no_harm},
        {"threads write at once", threads_write_at_once},
        {"a thread made anew goes on in its row", a_thread_made_anew_goes_on_in_its_row},
        {"three ranks are written", three_ranks_are_written},
        {"damaged blocks are refused", damaged_blocks_are_refused},
        {"what is too much is counted", what_is_too_much_is_counted},
        {"times are told", times_are_told},
    };
    snprintf(path, sizeof path, "timeline-%ld.json", (long)getpid());
    int code = unit_main("trace", tests, sizeof tests / sizeof tests[0]);
    unlink(path);
    return code;
}
