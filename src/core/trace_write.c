#include <string.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/trace.h"
#include "trace_block.h"

/* Reserved colour names of chrome://tracing, by activity; Perfetto chooses its own. */
static const char *const colours[CMUS_ACTIVITIES] = {"thread_state_running", "rail_response", "thread_state_iowait",
                                                     "terrible"};

/* A rank's block, checked. What lies in `all` is not aligned: entries are copied out. */
typedef struct view {
    trace_header header;
    const char *threads, *spans, *text;
} view;

static trace_thread thread_at(const view *block, uint64_t at) {
    trace_thread thread;
    memcpy(&thread, block->threads + at * sizeof thread, sizeof thread);
    return thread;
}

static trace_span span_at(const view *block, uint64_t at) {
    trace_span span;
    memcpy(&span, block->spans + at * sizeof span, sizeof span);
    return span;
}

/* That names lie in the text, and that the threads' spans are all the spans. */
static bool entries_fit(const view *block) {
    const trace_header *header = &block->header;
    uint64_t spans = 0;
    bool fit = header->text == 0 || block->text[header->text - 1] == 0;
    for (uint64_t i = 0; fit && i < header->threads; i++) {
        trace_thread thread = thread_at(block, i);
        fit = thread.name < header->text && thread.spans <= header->spans - spans;
        spans += thread.spans;
    }
    for (uint64_t i = 0; fit && i < header->spans; i++) {
        trace_span span = span_at(block, i);
        fit = span.name < header->text && span.activity < CMUS_ACTIVITIES;
    }
    return fit && spans == header->spans;
}

static cmus_status open_block(const char *bytes, size_t size, int rank, view *block) {
    trace_header *header = &block->header;
    bool fits = size >= sizeof *header;
    if (fits) {
        memcpy(header, bytes, sizeof *header);
        uint64_t rest = size - sizeof *header;
        fits = memcmp(header->magic, TRACE_BLOCK_MAGIC, sizeof header->magic) == 0 &&
               header->threads <= rest / sizeof(trace_thread) && header->spans <= rest / sizeof(trace_span) &&
               header->text <= rest &&
               header->threads * sizeof(trace_thread) + header->spans * sizeof(trace_span) + header->text == rest;
    }
    if (fits) {
        block->threads = bytes + sizeof *header;
        block->spans = block->threads + header->threads * sizeof(trace_thread);
        block->text = block->spans + header->spans * sizeof(trace_span);
        fits = entries_fit(block);
    }
    return fits ? CMUS_OK : cmus_fail(CMUS_ERROR_FORMAT, "what rank %d gave of its timeline is damaged", rank);
}

/* The list of events, and whether one is in it. */
typedef struct event_list {
    cmus_file_writer *file;
    bool begun;
} event_list;

/* A JSON string, in quotes. */
static void add_string(cmus_file_writer *file, const char *text) {
    cmus_file_writer_add(file, "\"", 1);
    for (const char *c = text; *c; c++)
        if (*c == '"' || *c == '\\')
            cmus_file_writer_print(file, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            cmus_file_writer_print(file, "\\u%04x", (unsigned)*c);
        else
            cmus_file_writer_add(file, c, 1);
    cmus_file_writer_add(file, "\"", 1);
}

static void separate(event_list *events) {
    cmus_file_writer_print(events->file, "%s", events->begun ? ",\n" : "\n");
    events->begun = true;
}

/* What the viewers call a metadata event: it gives a process or a thread a name or a place. */
static void add_text_metadata(event_list *events, const char *kind, int rank, uint64_t thread, const char *key,
                              const char *value) {
    separate(events);
    cmus_file_writer_print(events->file,
                           "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%llu,\"args\":{\"%s\":", kind, rank,
                           (unsigned long long)thread, key);
    add_string(events->file, value);
    cmus_file_writer_print(events->file, "}}");
}

static void add_place_metadata(event_list *events, const char *kind, int rank, uint64_t thread, uint64_t place) {
    separate(events);
    cmus_file_writer_print(events->file,
                           "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%llu,\"args\":{\"sort_index\":%llu}}",
                           kind, rank, (unsigned long long)thread, (unsigned long long)place);
}

static void add_process(event_list *events, const view *block, int rank, const char *host) {
    char *name = cmus_format_string("rank %d on host %s", rank, host);
    add_text_metadata(events, "process_name", rank, 0, "name", name);
    add_place_metadata(events, "process_sort_index", rank, 0, (uint64_t)rank);
    cmus_free(name);
    if (block->header.dropped == 0)
        return;
    char *label = cmus_format_string("%llu spans not kept", (unsigned long long)block->header.dropped);
    add_text_metadata(events, "process_labels", rank, 0, "labels", label);
    cmus_free(label);
}

/* A complete event; times in microseconds. */
static void add_span(event_list *events, const view *block, int rank, uint64_t thread, const trace_span *span,
                     double zero) {
    separate(events);
    cmus_file_writer_print(events->file,
                           "{\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%llu,\"cat\":\"%s\","
                           "\"cname\":\"%s\",\"name\":",
                           (span->began - zero) * 1e6, span->seconds * 1e6, rank, (unsigned long long)thread,
                           cmus_activity_names[span->activity], colours[span->activity]);
    add_string(events->file, block->text + span->name);
    cmus_file_writer_print(events->file, "}");
}

static void add_rank(event_list *events, const view *block, int rank, const char *host, double zero) {
    add_process(events, block, rank, host);
    uint64_t next = 0;
    for (uint64_t i = 0; i < block->header.threads; i++) {
        trace_thread thread = thread_at(block, i);
        add_text_metadata(events, "thread_name", rank, thread.number, "name", block->text + thread.name);
        add_place_metadata(events, "thread_sort_index", rank, thread.number, thread.number);
        for (uint64_t end = next + thread.spans; next < end; next++) {
            trace_span span = span_at(block, next);
            add_span(events, block, rank, thread.number, &span, zero);
        }
    }
}

/* The beginning of the timeline: 0, or the first span if it is earlier, as viewers don't show negative times. */
static double earliest(const view *blocks, int ranks) {
    double first = 0;
    for (int rank = 0; rank < ranks; rank++)
        for (uint64_t i = 0; i < blocks[rank].header.spans; i++) {
            trace_span span = span_at(&blocks[rank], i);
            first = span.began < first ? span.began : first;
        }
    return first;
}

static cmus_status write_ranks(const char *path, const view *blocks, int ranks, const char *hosts) {
    event_list events = {0};
    CMUS_TRY(cmus_file_writer_open(path, &events.file));
    double zero = earliest(blocks, ranks);
    unsigned long long dropped = 0;
    cmus_file_writer_print(events.file, "{\"traceEvents\":[");
    for (int rank = 0; rank < ranks; rank++, hosts += strlen(hosts) + 1) {
        add_rank(&events, &blocks[rank], rank, hosts, zero);
        dropped += blocks[rank].header.dropped;
    }
    cmus_file_writer_print(events.file,
                           "\n],\n\"displayTimeUnit\":\"ms\",\n\"otherData\":{\"ranks\":%d,\"dropped_spans\":%llu}}\n",
                           ranks, dropped);
    CMUS_TRY(cmus_file_writer_commit(events.file));
    if (dropped > 0)
        cmus_warn("%s lacks %llu spans, which were more than a rank keeps", path, dropped);
    return CMUS_OK;
}

cmus_status cmus_trace_write(const char *path, const char *all, const size_t *sizes, int ranks, const char *hosts) {
    view *blocks = cmus_allocate((size_t)ranks, sizeof *blocks);
    cmus_status status = CMUS_OK;
    for (int rank = 0; status == CMUS_OK && rank < ranks; all += sizes[rank], rank++)
        status = open_block(all, sizes[rank], rank, &blocks[rank]);
    if (status == CMUS_OK)
        status = write_ranks(path, blocks, ranks, hosts);
    cmus_free(blocks);
    return status;
}
