#include "cmus/energy.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"

enum { PERIOD = 10 /* seconds; no counter begins again in less than a minute */, TEXT = 128 };

typedef struct counter {
    char *path;          /* of energy_uj */
    double range, value; /* microjoules: where it begins again, what it showed last */
} counter;

struct cmus_energy {
    counter *counters;
    size_t count;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, and of the counters' values */
    pthread_cond_t woken;
    bool stop;
    double microjoules; /* NaN: a counter could not be read */
};

/* A file of sysfs, whose size is not what it says; "" if it can't be read. */
static void read_text(const char *path, char text[TEXT]) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = descriptor >= 0 ? read(descriptor, text, TEXT - 1) : 0;
    text[got > 0 ? got : 0] = 0;
    if (descriptor >= 0)
        close(descriptor);
}

/* NaN if there is no number. */
static double read_number(const char *path) {
    char text[TEXT], *end;
    read_text(path, text);
    double value = strtod(text, &end);
    return end != text && value >= 0 ? value : NAN;
}

/* Packages and their memory: cores are parts of a package, "psys" holds all of them once more. */
static bool is_counted(const char *folder, const char *zone) {
    if (strncmp(zone, "intel-rapl:", 11) != 0) /* another way to the same counters */
        return false;
    char *path = cmus_format_string("%s/%s/name", folder, zone), name[TEXT];
    read_text(path, name);
    cmus_free(path);
    return strncmp(name, "package", 7) == 0 || strncmp(name, "dram", 4) == 0;
}

/* Under the lock, or before there is a thread. */
static void sample(cmus_energy *energy) {
    for (size_t i = 0; i < energy->count; i++) {
        counter *c = &energy->counters[i];
        double value = read_number(c->path), more = value - c->value;
        energy->microjoules += more < 0 ? more + c->range : more;
        c->value = value;
    }
}

static void *watch(void *data) {
    cmus_energy *energy = data;
    pthread_mutex_lock(&energy->lock);
    while (!energy->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PERIOD;
        pthread_cond_timedwait(&energy->woken, &energy->lock, &until);
        sample(energy);
    }
    pthread_mutex_unlock(&energy->lock);
    return NULL;
}

static void find_counters(cmus_energy *energy, const char *folder) {
    char **zones;
    size_t count;
    if (cmus_folder_list(folder, &zones, &count) != CMUS_OK)
        return;
    energy->counters = cmus_allocate(count, sizeof *energy->counters);
    for (size_t i = 0; i < count; i++) {
        if (!is_counted(folder, zones[i]))
            continue;
        char *range = cmus_format_string("%s/%s/max_energy_range_uj", folder, zones[i]);
        energy->counters[energy->count].path = cmus_format_string("%s/%s/energy_uj", folder, zones[i]);
        energy->counters[energy->count++].range = read_number(range);
        cmus_free(range);
    }
    cmus_names_free(zones, count);
}

static void free_counters(cmus_energy *energy) {
    for (size_t i = 0; i < energy->count; i++)
        cmus_free(energy->counters[i].path);
    cmus_free(energy->counters);
    cmus_free(energy);
}

cmus_energy *cmus_energy_start(const char *folder) {
    cmus_energy *energy = cmus_allocate(1, sizeof *energy);
    find_counters(energy, folder);
    sample(energy);
    if (energy->count == 0 || isnan(energy->microjoules)) {
        free_counters(energy);
        return NULL;
    }
    energy->microjoules = 0;
    pthread_mutex_init(&energy->lock, NULL);
    pthread_cond_init(&energy->woken, NULL);
    if (pthread_create(&energy->thread, NULL, watch, energy) != 0)
        cmus_fatal("can't start the thread that counts energy");
    return energy;
}

double cmus_energy_joules(cmus_energy *energy) {
    if (!energy)
        return NAN;
    pthread_mutex_lock(&energy->lock);
    sample(energy);
    double joules = energy->microjoules / 1e6;
    pthread_mutex_unlock(&energy->lock);
    return joules;
}

void cmus_energy_stop(cmus_energy *energy) {
    if (!energy)
        return;
    pthread_mutex_lock(&energy->lock);
    energy->stop = true;
    pthread_cond_signal(&energy->woken);
    pthread_mutex_unlock(&energy->lock);
    pthread_join(energy->thread, NULL);
    pthread_mutex_destroy(&energy->lock);
    pthread_cond_destroy(&energy->woken);
    free_counters(energy);
}
