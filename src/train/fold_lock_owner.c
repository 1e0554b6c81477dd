#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cmus/communicator.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "fold_lock_internal.h"

/* The keys of the file that are texts and numbers. `beat` is written as a text of BEAT_DIGITS, so that even a file that
 * is read while it is rewritten in place can be understood. */
static const struct {
    const char *key;
    size_t offset;
} texts[] = {{"host", offsetof(cmus_fold_owner, host)},
             {"boot_id", offsetof(cmus_fold_owner, boot_id)},
             {"pid_namespace", offsetof(cmus_fold_owner, pid_namespace)},
             {"job", offsetof(cmus_fold_owner, job)},
             {"job_id", offsetof(cmus_fold_owner, job_id)},
             {"since", offsetof(cmus_fold_owner, since)},
             {"token", offsetof(cmus_fold_owner, token)}},
  numbers[] = {{"pid", offsetof(cmus_fold_owner, pid)},
               {"process_start", offsetof(cmus_fold_owner, process_start)},
               {"job_start", offsetof(cmus_fold_owner, job_start)}};
enum {
    TEXTS = sizeof texts / sizeof texts[0],
    NUMBERS = sizeof numbers / sizeof numbers[0],
    BEAT_DIGITS = 12,
    TOKEN_BYTES = 16
};

/* Printable ASCII only, so that whatever the environment holds can be written as JSON. */
static void set_text(char text[CMUS_OWNER_TEXT], const char *value) {
    snprintf(text, CMUS_OWNER_TEXT, "%s", value);
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

/* The first line of a small file of the kernel; false if it can't be read. */
static bool read_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");
    bool got = file && fgets(line, size, file);
    if (file)
        fclose(file);
    if (got)
        line[strcspn(line, "\n")] = 0;
    return got;
}

/* State letter and start time of a process: fields 3 and 22 of /proc/PID/stat, see proc(5); field 2, the name, may hold
 * blanks and brackets. */
static bool read_process(long long pid, char *state, long long *start) {
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    if (!read_line(path, line, sizeof line))
        return false;
    const char *field = strrchr(line, ')');
    if (!field || sscanf(field, ") %c", state) != 1)
        return false;
    for (int number = 2; number < 22 && field; number++)
        field = strchr(field + 1, ' ');
    return field && sscanf(field, "%lld", start) == 1;
}

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static void set_job(cmus_fold_owner *owner) {
    char job[CMUS_OWNER_TEXT] = "";
    const char *slurm = variable("SLURM_JOB_ID"), *array = variable("SLURM_ARRAY_JOB_ID"),
               *task = variable("SLURM_ARRAY_TASK_ID"), *pbs = variable("PBS_JOBID"), *lsf = variable("LSB_JOBID");
    owner->job_start = -1;
    if (*slurm) {
        const char *restarts = variable("SLURM_RESTART_COUNT"); /* not set at the first start */
        owner->job_start = strtoll(restarts, NULL, 10);
    }
    if (*array && *task)
        snprintf(job, sizeof job, "Slurm %s_%s", array, task);
    else if (*slurm || *pbs || *lsf)
        snprintf(job, sizeof job, "%s %s", *slurm ? "Slurm" : *pbs ? "PBS" : "LSF", *slurm ? slurm : *pbs ? pbs : lsf);
    set_text(owner->job, job);
    set_text(owner->job_id, *slurm ? slurm : *pbs ? pbs : lsf);
}

static void set_token(char token[CMUS_OWNER_TEXT]) {
    unsigned char bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        cmus_fatal("the system gives no random numbers: %s", strerror(errno));
    for (int i = 0; i < TOKEN_BYTES; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

void cmus_fold_owner_self(cmus_fold_owner *owner) {
    *owner = (cmus_fold_owner){.pid = getpid()};
    char state, link[CMUS_OWNER_TEXT] = "", boot[CMUS_OWNER_TEXT] = "";
    if (!read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot))
        boot[0] = 0;
    if (readlink("/proc/self/ns/pid", link, sizeof link - 1) < 0)
        link[0] = 0;
    if (!read_process(owner->pid, &state, &owner->process_start))
        link[0] = 0; /* nobody could tell this process from another of its number */
    set_text(owner->host, cmus_host_name());
    set_text(owner->boot_id, boot);
    set_text(owner->pid_namespace, link);
    set_job(owner);
    set_token(owner->token);
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(owner->since, sizeof owner->since, "%Y-%m-%d %H:%M:%S", &local);
}

char *cmus_fold_owner_write(const cmus_fold_owner *owner) {
    json_t *object = json_object();
    for (int i = 0; i < TEXTS; i++)
        json_object_set_new(object, texts[i].key, json_string((const char *)owner + texts[i].offset));
    for (int i = 0; i < NUMBERS; i++) {
        const long long *number = (const void *)((const char *)owner + numbers[i].offset);
        json_object_set_new(object, numbers[i].key, json_integer((json_int_t)*number));
    }
    char beat[32];
    snprintf(beat, sizeof beat, "%0*lld", BEAT_DIGITS, owner->beat);
    json_object_set_new(object, "beat", json_string(beat));
    char *json = json_dumps(object, JSON_INDENT(2));
    char *text = cmus_format_string("%s\n", json);
    free(json);
    json_decref(object);
    return text;
}

bool cmus_fold_owner_read(const char *text, size_t size, cmus_fold_owner *owner) {
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(object);
    for (int i = 0; i < TEXTS && good; i++) {
        const char *value = json_string_value(json_object_get(object, texts[i].key));
        good = value && strlen(value) < CMUS_OWNER_TEXT;
        if (good)
            set_text((char *)owner + texts[i].offset, value);
    }
    for (int i = 0; i < NUMBERS && good; i++) {
        const json_t *value = json_object_get(object, numbers[i].key);
        good = json_is_integer(value);
        if (good)
            *(long long *)(void *)((char *)owner + numbers[i].offset) = json_integer_value(value);
    }
    const char *beat = json_string_value(json_object_get(object, "beat"));
    good = good && beat && strlen(beat) == BEAT_DIGITS && strspn(beat, "0123456789") == BEAT_DIGITS;
    if (good)
        owner->beat = strtoll(beat, NULL, 10);
    json_decref(object);
    return good && owner->pid > 0 && owner->pid <= INT32_MAX && owner->token[0];
}

char *cmus_fold_owner_describe(const cmus_fold_owner *owner) {
    return cmus_format_string("host %s, process %lld%s%s", owner->host, owner->pid, *owner->job ? ", job " : "",
                              owner->job);
}

/* Equal, and known. */
static bool same(const char *a, const char *b) {
    return *a && strcmp(a, b) == 0;
}

/* Whether `owner`, of whose name space this process is, has ended; unknown if only another user can tell. */
static cmus_owner_state process_state(const cmus_fold_owner *owner) {
    char state;
    long long start;
    if (read_process(owner->pid, &state, &start)) {
        bool ended = start != owner->process_start || state == 'Z' || state == 'X';
        return ended ? CMUS_OWNER_ENDED : CMUS_OWNER_ALIVE;
    }
    return kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH ? CMUS_OWNER_ENDED : CMUS_OWNER_UNKNOWN;
}

cmus_owner_state cmus_fold_owner_state(const cmus_fold_owner *owner, const cmus_fold_owner *self, const char **why) {
    bool former = same(owner->job_id, self->job_id) && owner->job_start >= 0 && owner->job_start < self->job_start;
    bool same_host = strcmp(owner->host, self->host) == 0;
    if (same_host && *owner->boot_id && *self->boot_id && strcmp(owner->boot_id, self->boot_id) != 0) {
        *why = "its host has been started anew since";
        return CMUS_OWNER_ENDED;
    }
    cmus_owner_state state = CMUS_OWNER_UNKNOWN;
    if (same_host && same(owner->boot_id, self->boot_id) && same(owner->pid_namespace, self->pid_namespace))
        state = process_state(owner);
    *why = "its process has ended";
    if (state == CMUS_OWNER_ALIVE && former)
        return CMUS_OWNER_LEAVING;
    if (state == CMUS_OWNER_UNKNOWN && former) {
        *why = "it was a former start of this job";
        return CMUS_OWNER_ENDED;
    }
    return state;
}
