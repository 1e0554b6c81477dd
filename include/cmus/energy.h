/* Energy that the processors of this host took, where Linux tells (RAPL, /sys/class/powercap): packages and memory, all
 * that runs on them. Not collective. */
#ifndef CMUS_ENERGY_H
#define CMUS_ENERGY_H

typedef struct cmus_energy cmus_energy;

#define CMUS_POWERCAP "/sys/class/powercap"

/* Begins to count. A thread reads the counters now and then, as they begin again at 0 after some minutes. NULL if the
 * folder (CMUS_POWERCAP, but for tests) has no counters or they may not be read, as on most machines by others than
 * root. Stop it by cmus_energy_stop(). */
cmus_energy *cmus_energy_start(const char *folder);
/* Joules since the start; NaN if they are not known, as with NULL. */
double cmus_energy_joules(cmus_energy *energy);
/* NULL is allowed. */
void cmus_energy_stop(cmus_energy *energy);

#endif
