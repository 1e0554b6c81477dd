#include "cmus/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/memory.h"

static const char PREFIX[] = "events.out.tfevents.";

struct cmus_event_log {
    char *path;
    int descriptor;
};

/* Field numbers of event.proto and summary.proto, and the wire types of protocol buffers. */
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, SESSION_STATUS = 1, SESSION_START = 1 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct message {
    unsigned char *bytes;
    size_t size, capacity;
} message;

static void put(message *m, const void *data, size_t size) {
    m->bytes = cmus_grow(m->bytes, &m->capacity, m->size + size, 1);
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
}

static void put_little_endian(message *m, uint64_t value, int bytes) {
    unsigned char text[8];
    for (int i = 0; i < bytes; i++)
        text[i] = (unsigned char)(value >> (8 * i));
    put(m, text, (size_t)bytes);
}

/* Seven bits a byte, the lowest first; the highest bit says that more follow. */
static void put_varint(message *m, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        put_little_endian(m, (value & 0x7f) | 0x80, 1);
    put_little_endian(m, value, 1);
}

static void put_key(message *m, int field, int wire) {
    put_varint(m, (uint64_t)(field << 3 | wire));
}

static void put_integer(message *m, int field, int64_t value) {
    put_key(m, field, WIRE_VARINT);
    put_varint(m, (uint64_t)value);
}

static void put_double(message *m, int field, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, WIRE_64);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, int field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, WIRE_32);
    put_little_endian(m, bits, 4);
}

static void put_bytes(message *m, int field, const void *data, size_t size) {
    put_key(m, field, WIRE_BYTES);
    put_varint(m, size);
    put(m, data, size);
}

/* A message within the message; the inner one is freed. */
static void put_message(message *m, int field, message *inner) {
    put_bytes(m, field, inner->bytes, inner->size);
    cmus_free(inner->bytes);
    *inner = (message){0};
}

/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), then masked as TFRecord does, so that a checksum of data which
 * hold checksums stays a good one. */
static uint32_t masked_checksum(const unsigned char *bytes, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static cmus_status io_error(const cmus_event_log *log) {
    return cmus_fail(CMUS_ERROR_IO, "can't write %s: %s", log->path, strerror(errno));
}

/* Writes the event as one record, by one write so that a reader sees all of it, and frees it. */
static cmus_status write_event(cmus_event_log *log, message *event) {
    message record = {0};
    put_little_endian(&record, event->size, 8);
    put_little_endian(&record, masked_checksum(record.bytes, 8), 4);
    put(&record, event->bytes, event->size);
    put_little_endian(&record, masked_checksum(event->bytes, event->size), 4);
    errno = ENOSPC; /* what a short write without an error means */
    ssize_t written = write(log->descriptor, record.bytes, record.size);
    bool whole = written == (ssize_t)record.size;
    cmus_free(event->bytes);
    cmus_free(record.bytes);
    return whole ? CMUS_OK : io_error(log);
}

static message begin_event(double now, int64_t step) {
    message event = {0};
    put_double(&event, EVENT_TIME, now);
    if (step != 0) /* 0 is the default, which is left out */
        put_integer(&event, EVENT_STEP, step);
    return event;
}

static cmus_status write_head(cmus_event_log *log, double now, int64_t step) {
    static const char version[] = "brain.Event:2";
    message event = begin_event(now, 0), session = {0};
    put_bytes(&event, EVENT_VERSION, version, strlen(version));
    CMUS_TRY(write_event(log, &event));
    event = begin_event(now, step);
    put_integer(&session, SESSION_STATUS, SESSION_START);
    put_message(&event, EVENT_SESSION, &session);
    return write_event(log, &event);
}

/* TensorBoard reads the files of a folder in the order of their names: clocks that differ or stand still must not
 * matter. */
static cmus_status choose_seconds(const char *folder, double now, long long *seconds) {
    char **names;
    size_t count;
    *seconds = (long long)now;
    CMUS_TRY(cmus_folder_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        long long there = strtoll(names[i] + sizeof PREFIX - 1, NULL, 10);
        if (there >= *seconds)
            *seconds = there + 1;
    }
    cmus_names_free(names, count);
    return CMUS_OK;
}

cmus_status cmus_event_log_open(const char *folder, const char *host, double now, int64_t step,
                                cmus_event_log **result) {
    *result = NULL;
    long long seconds;
    CMUS_TRY(choose_seconds(folder, now, &seconds));
    cmus_event_log *log = cmus_allocate(1, sizeof *log);
    log->path = cmus_format_string("%s/%s%010lld.%s", folder, PREFIX, seconds, host);
    log->descriptor = open(log->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    cmus_status status = log->descriptor < 0 ? io_error(log) : write_head(log, now, step);
    if (status == CMUS_OK)
        *result = log;
    else
        cmus_event_log_close(log);
    return status;
}

cmus_status cmus_event_log_add(cmus_event_log *log, double now, int64_t step, const cmus_scalar *scalars,
                               size_t count) {
    message event = begin_event(now, step), summary = {0};
    for (size_t i = 0; i < count; i++) {
        message value = {0};
        put_bytes(&value, VALUE_TAG, scalars[i].tag, strlen(scalars[i].tag));
        put_float(&value, VALUE_SIMPLE, (float)scalars[i].value);
        put_message(&summary, SUMMARY_VALUE, &value);
    }
    put_message(&event, EVENT_SUMMARY, &summary);
    return write_event(log, &event);
}

void cmus_event_log_close(cmus_event_log *log) {
    if (!log)
        return;
    if (log->descriptor >= 0)
        close(log->descriptor);
    cmus_free(log->path);
    cmus_free(log);
}
