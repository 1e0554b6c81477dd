#include "cmus/trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "trace_block.h"

enum { PIECE_SPANS = 1024, MOST_NESTED = 16 };

const char *const cmus_activity_names[CMUS_ACTIVITIES] = {"compute", "communication", "loading", "waiting"};

typedef struct kept_span {
    const char *name;
    double began, ended;
    cmus_activity activity;
} kept_span;

/* Spans of one thread, which alone writes them; `used` and `next` publish them to cmus_trace_take(). */
typedef struct piece {
    _Atomic(struct piece *) next;
    atomic_size_t used;
    size_t room;
    kept_span spans[];
} piece;

/* A row of the timeline: a thread, or several of one name after one another. */
typedef struct row {
    struct row *next;
    int number; /* 1 for the first row, and so on */
    bool taken; /* by a living thread */
    _Atomic(const char *) name;
    _Atomic(piece *) first;
    piece *last;
    atomic_size_t dropped;
} row;

/* A span that has begun. */
typedef struct open_span {
    double began, inside; /* seconds of the spans in it so far */
} open_span;

static _Atomic int64_t nanoseconds[CMUS_ACTIVITIES];
static atomic_bool keeping;
static atomic_size_t limit = CMUS_TRACE_SPANS, reserved;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list of rows and of `taken` */
static row *first_row, *last_row;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static _Thread_local row *own_row;
static _Thread_local open_span open[MOST_NESTED];
static _Thread_local int depth;

void cmus_trace_keep(bool keep) {
    atomic_store(&keeping, keep);
}

void cmus_trace_limit(size_t spans) {
    atomic_store(&limit, spans);
}

static void release_row(void *released) {
    pthread_mutex_lock(&lock);
    ((row *)released)->taken = false;
    pthread_mutex_unlock(&lock);
}

static void make_key(void) {
    int error = pthread_key_create(&at_thread_end, release_row);
    if (error != 0)
        cmus_fatal("can't follow the threads of the timeline: %s", strerror(error));
}

/* The row of an ended thread of that name, or a new one. */
static row *find_row(const char *name) {
    pthread_mutex_lock(&lock);
    row *found = first_row;
    while (found && (found->taken || strcmp(atomic_load(&found->name), name) != 0))
        found = found->next;
    if (!found) {
        found = cmus_allocate(1, sizeof *found);
        found->number = last_row ? last_row->number + 1 : 1;
        atomic_store(&found->name, name);
        if (last_row)
            last_row->next = found;
        else
            first_row = found;
        last_row = found;
    }
    found->taken = true;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Gives the calling thread, which has none, a row. */
static void take_row(const char *name) {
    pthread_once(&once, make_key);
    own_row = find_row(name);
    pthread_setspecific(at_thread_end, own_row);
}

void cmus_trace_thread(const char *name) {
    if (own_row)
        atomic_store(&own_row->name, name);
    else
        take_row(name);
}

/* At most PIECE_SPANS of what the limit leaves; 0 if it leaves nothing. */
static size_t reserve_spans(void) {
    size_t before = atomic_load(&reserved), room;
    do {
        size_t most = atomic_load(&limit), left = before < most ? most - before : 0;
        room = left < PIECE_SPANS ? left : PIECE_SPANS;
    } while (room > 0 && !atomic_compare_exchange_weak(&reserved, &before, before + room));
    return room;
}

/* The row's piece that has room, or NULL at the limit. */
static piece *piece_with_room(row *of) {
    piece *last = of->last;
    if (last && atomic_load_explicit(&last->used, memory_order_relaxed) < last->room)
        return last;
    size_t room = reserve_spans();
    if (room == 0)
        return NULL;
    piece *added = cmus_allocate_raw(1, sizeof *added + room * sizeof added->spans[0]);
    atomic_init(&added->next, NULL);
    atomic_init(&added->used, 0);
    added->room = room;
    atomic_store_explicit(last ? &last->next : &of->first, added, memory_order_release);
    of->last = added;
    return added;
}

static void keep_span(kept_span span) {
    if (!own_row)
        take_row(gettid() == getpid() ? "main" : "thread");
    piece *last = piece_with_room(own_row);
    if (!last) {
        atomic_fetch_add_explicit(&own_row->dropped, 1, memory_order_relaxed);
        return;
    }
    size_t used = atomic_load_explicit(&last->used, memory_order_relaxed);
    last->spans[used] = span;
    atomic_store_explicit(&last->used, used + 1, memory_order_release);
}

double cmus_trace_begin(void) {
    if (depth == MOST_NESTED) { /* the outermost was left without an end: a failure */
        memmove(open, open + 1, (MOST_NESTED - 1) * sizeof open[0]);
        depth--;
    }
    double began = cmus_seconds();
    open[depth++] = (open_span){.began = began};
    return began;
}

/* Closes the span with what lies in it, and tells the span around it. Returns the seconds of the spans inside. */
static double close_span(double began, double elapsed) {
    int at = depth - 1;
    while (at >= 0 && open[at].began != began)
        at--;
    double inside = 0;
    if (at >= 0) {
        inside = open[at].inside;
        depth = at;
    }
    if (depth > 0)
        open[depth - 1].inside += elapsed;
    return inside;
}

void cmus_trace_end(cmus_activity activity, const char *name, double began) {
    double ended = cmus_seconds(), elapsed = ended - began, own = elapsed - close_span(began, elapsed);
    atomic_fetch_add_explicit(&nanoseconds[activity], (int64_t)(own * 1e9), memory_order_relaxed);
    if (atomic_load_explicit(&keeping, memory_order_relaxed))
        keep_span((kept_span){name, began, ended, activity});
}

double cmus_trace_seconds(cmus_activity activity) {
    return (double)atomic_load(&nanoseconds[activity]) * 1e-9;
}

/* The names that came up, with their places in the text of the block. */
typedef struct name_table {
    struct known_name {
        const char *name;
        uint32_t place;
    } * known;
    size_t count, room, text;
    size_t last; /* found last: often the next one too */
} name_table;

/* Names are literals, few and each at one address, so that the search compares addresses. */
static uint32_t place_of(name_table *names, const char *name) {
    if (names->count > 0 && names->known[names->last].name == name)
        return names->known[names->last].place;
    size_t at = 0;
    while (at < names->count && names->known[at].name != name)
        at++;
    if (at == names->count) {
        names->known = cmus_grow(names->known, &names->room, ++names->count, sizeof *names->known);
        names->known[at] = (struct known_name){name, (uint32_t)names->text};
        names->text += strlen(name) + 1;
    }
    names->last = at;
    return names->known[at].place;
}

/* The first `most` spans of the row, fewer if it has fewer; to `out` unless it is NULL. Returns their number. */
static size_t copy_spans(row *from, size_t most, double zero, name_table *names, trace_span *out) {
    size_t count = 0;
    for (piece *at = atomic_load(&from->first); at && count < most; at = atomic_load(&at->next)) {
        size_t used = atomic_load_explicit(&at->used, memory_order_acquire);
        for (size_t i = 0; i < used && count < most; i++, count++) {
            const kept_span *span = &at->spans[i];
            uint32_t name = place_of(names, span->name);
            if (out)
                out[count] = (trace_span){span->began - zero, span->ended - span->began, name, span->activity};
        }
    }
    return count;
}

/* By beginning; a span before those that begin with it and lie in it. */
static int by_beginning(const void *a, const void *b) {
    const trace_span *left = a, *right = b;
    if (left->began != right->began)
        return left->began < right->began ? -1 : 1;
    return left->seconds > right->seconds ? -1 : left->seconds < right->seconds;
}

/* Counts what there is by now; threads has room for all rows. */
static trace_header count_rows(trace_thread *threads, name_table *names) {
    trace_header header = {0};
    memcpy(header.magic, TRACE_BLOCK_MAGIC, sizeof header.magic);
    for (row *at = first_row; at; at = at->next) {
        trace_thread *thread = &threads[header.threads++];
        thread->number = (uint64_t)at->number;
        thread->name = place_of(names, atomic_load(&at->name));
        thread->spans = copy_spans(at, SIZE_MAX, 0, names, NULL);
        header.spans += thread->spans;
        header.dropped += atomic_load(&at->dropped);
    }
    header.text = names->text;
    return header;
}

/* Puts the block together; threads and names are those that were counted. */
static char *pack_block(const trace_header *header, const trace_thread *threads, name_table *names, double zero,
                        size_t *size) {
    size_t begin = sizeof *header + header->threads * sizeof *threads;
    *size = begin + header->spans * sizeof(trace_span) + header->text;
    char *bytes = cmus_allocate_raw(*size, 1);
    memcpy(bytes, header, sizeof *header);
    memcpy(bytes + sizeof *header, threads, header->threads * sizeof *threads);
    trace_span *spans = (trace_span *)(void *)(bytes + begin);
    for (row *at = first_row; at; at = at->next, threads++) {
        copy_spans(at, threads->spans, zero, names, spans);
        qsort(spans, threads->spans, sizeof *spans, by_beginning);
        spans += threads->spans;
    }
    for (size_t i = 0; i < names->count; i++)
        strcpy((char *)spans + names->known[i].place, names->known[i].name);
    return bytes;
}

void cmus_trace_take(double zero, char **bytes, size_t *size) {
    name_table names = {0};
    pthread_mutex_lock(&lock); /* no new rows meanwhile; writing into those that are there goes on */
    trace_thread *threads = cmus_allocate(last_row ? (size_t)last_row->number : 0, sizeof *threads);
    trace_header header = count_rows(threads, &names);
    *bytes = pack_block(&header, threads, &names, zero, size);
    pthread_mutex_unlock(&lock);
    cmus_free(threads);
    cmus_free(names.known);
}
