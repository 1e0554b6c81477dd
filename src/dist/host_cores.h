/* Which cores the ranks of one host may use. */
#ifndef CMUS_HOST_CORES_H
#define CMUS_HOST_CORES_H

typedef struct cmus_host_cores {
    int own;      /* cores that this rank may run on */
    int bound;    /* the sum of `own` over the ranks of its host: more than `together` if they share cores */
    int together; /* cores that any rank of its host may run on, and no more than the control group's quota pays for */
    int online;   /* cores of the host */
} cmus_host_cores;

/* Collective. "Cores" are logical processors. Each is at least 1. */
cmus_host_cores cmus_host_cores_find(void);

#endif
