/* Who owns a fold's lock, as the file says it, and whether that process lives. Internal to fold_lock.c and its test. */
#ifndef CMUS_FOLD_LOCK_INTERNAL_H
#define CMUS_FOLD_LOCK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "cmus/fold_lock.h"

enum { CMUS_OWNER_TEXT = 256 };

typedef struct cmus_fold_owner {
    char host[CMUS_OWNER_TEXT];
    char boot_id[CMUS_OWNER_TEXT], pid_namespace[CMUS_OWNER_TEXT]; /* in which `pid` means something; "" if unknown */
    char job[CMUS_OWNER_TEXT];                                     /* "Slurm 17_3"; "" without a job */
    char job_id[CMUS_OWNER_TEXT]; /* SLURM_JOB_ID, PBS_JOBID or LSB_JOBID as it is; "" without a job */
    char since[CMUS_OWNER_TEXT];  /* local time */
    char token[CMUS_OWNER_TEXT];  /* random, of this lock alone */
    long long pid, process_start; /* start: ticks since the host was started */
    long long job_start;          /* how often Slurm has started this job before; -1 if not known */
    long long beat;               /* counts the rewrites */
} cmus_fold_owner;

/* This process, with a new token. */
void cmus_fold_owner_self(cmus_fold_owner *owner);

/* The lock file's text, whose length does not depend on `beat`. Free it with cmus_free(). */
char *cmus_fold_owner_write(const cmus_fold_owner *owner);
/* False: no such text, or cut off. */
bool cmus_fold_owner_read(const char *text, size_t size, cmus_fold_owner *owner);

/* "host n1, process 1234, job Slurm 17_3". Free it with cmus_free(). */
char *cmus_fold_owner_describe(const cmus_fold_owner *owner);

typedef enum cmus_owner_state {
    CMUS_OWNER_ENDED,   /* surely */
    CMUS_OWNER_ALIVE,   /* surely */
    CMUS_OWNER_LEAVING, /* alive, but a former start of the job that asks: Slurm has ended it */
    CMUS_OWNER_UNKNOWN  /* on another host, or in another name space of processes */
} cmus_owner_state;

/* *why, if it has ended, says why in a few words; constant text. */
cmus_owner_state cmus_fold_owner_state(const cmus_fold_owner *owner, const cmus_fold_owner *self, const char **why);

/* Seconds. */
typedef struct cmus_fold_lock_times {
    double beat;     /* between two rewrites of the file */
    double patience; /* without a rewrite, until an owner on another host is taken for dead */
    double poll;     /* between two looks at the file while waiting */
} cmus_fold_lock_times;

/* cmus_fold_lock_take() with other times than its own. */
cmus_status cmus_fold_lock_take_timed(const char *path, const cmus_fold_lock_times *times, cmus_fold_lock **lock);

#endif
