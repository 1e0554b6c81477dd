/* A wave through the network on all ranks: images where they were shared out to, cases at their owners. */
#ifndef CMUS_WAVE_RUN_H
#define CMUS_WAVE_RUN_H

#include "cmus/prefetch.h"

/* How a wave goes through. */
typedef struct cmus_wave_pass {
    bool backward;               /* gradients too; else outputs only */
    double scale;                /* of the losses in the gradients */
    const cmus_passage *passage; /* asked for weights; told of gradients if `final`. NULL: neither */
    bool final;                  /* the last wave of an update */
} cmus_wave_pass;

/* Collective. The results of the cases that this rank owns go into the portion's share. */
void cmus_wave_run(const cmus_communicator *communicator, cmus_net *net, const cmus_portion *portion,
                   const cmus_wave_pass *pass);

#endif
