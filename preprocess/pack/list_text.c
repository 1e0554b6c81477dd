#include "list_text.h"

#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

/* Bytes that grow while they are written, or that are read from the beginning. */
typedef struct stream {
    char *bytes;
    size_t size, capacity, place;
} stream;

static void put(stream *to, const void *data, size_t size) {
    to->bytes = cmus_grow(to->bytes, &to->capacity, to->size + size, 1);
    memcpy(to->bytes + to->size, data, size);
    to->size += size;
}

static void put_text(stream *to, const char *text) {
    put(to, text, strlen(text) + 1);
}

/* The ranks run the same program, and MPI checks what it carries: what does not fit is a defect of ours. */
static void get(stream *from, void *data, size_t size) {
    if (size > from->size - from->place)
        cmus_fatal("the list of cases did not arrive whole");
    memcpy(data, from->bytes + from->place, size);
    from->place += size;
}

static char *get_text(stream *from) {
    size_t length = strnlen(from->bytes + from->place, from->size - from->place);
    char *text = cmus_allocate(length + 1, 1), zero;
    get(from, text, length);
    get(from, &zero, 1);
    return text;
}

static void write_list(const cmus_case_list *list, stream *to) {
    put(to, list->has, sizeof list->has);
    const size_t counts[] = {list->class_count, list->case_count, list->image_count};
    put(to, counts, sizeof counts);
    for (size_t i = 0; i < list->class_count; i++)
        put_text(to, list->classes[i]);
    for (size_t i = 0; i < list->case_count; i++) {
        put(to, &list->cases[i], sizeof list->cases[i]);
        put_text(to, list->cases[i].case_id);
        put_text(to, list->cases[i].patient_id);
    }
    for (size_t i = 0; i < list->image_count; i++) {
        put(to, &list->images[i].kind, sizeof list->images[i].kind);
        put_text(to, list->images[i].path);
        put_text(to, list->images[i].source);
    }
}

static void read_list(stream *from, cmus_case_list *list) {
    size_t counts[3];
    get(from, list->has, sizeof list->has);
    get(from, counts, sizeof counts);
    for (size_t i = 0; i < counts[0]; i++) {
        char *name = get_text(from);
        cmus_case_list_add_class(list, name);
        cmus_free(name);
    }
    for (size_t i = 0; i < counts[1]; i++) {
        cmus_source_case one;
        get(from, &one, sizeof one);
        one.place = one.class_name = one.rejected = NULL; /* they pointed into another process */
        one.case_id = get_text(from);
        one.patient_id = get_text(from);
        cmus_case_list_add_case(list, &one);
    }
    for (size_t i = 0; i < counts[2]; i++) {
        cmus_source_image image = {0};
        get(from, &image.kind, sizeof image.kind);
        image.path = get_text(from);
        image.source = get_text(from);
        cmus_case_list_add_image(list, &image);
    }
}

void cmus_case_list_broadcast(const cmus_communicator *communicator, cmus_case_list *list) {
    if (communicator->ranks == 1)
        return;
    stream bytes = {0};
    if (communicator->rank == 0)
        write_list(list, &bytes);
    cmus_broadcast(communicator, &bytes.size, sizeof bytes.size, 0);
    if (communicator->rank != 0)
        bytes.bytes = cmus_allocate(bytes.size, 1);
    cmus_broadcast(communicator, bytes.bytes, bytes.size, 0);
    if (communicator->rank != 0)
        read_list(&bytes, list);
    cmus_free(bytes.bytes);
}

void cmus_case_list_drop_everywhere(const cmus_communicator *communicator, cmus_case_list *list) {
    char *rejected = cmus_allocate(list->case_count, 1);
    for (size_t i = 0; i < list->case_count; i++)
        rejected[i] = list->cases[i].rejected != NULL;
    cmus_broadcast(communicator, rejected, list->case_count, 0);
    for (size_t i = 0; i < list->case_count; i++)
        if (rejected[i])
            cmus_case_list_reject(list, i, "");
    cmus_free(rejected);
    cmus_case_list_drop_rejected(list);
}
