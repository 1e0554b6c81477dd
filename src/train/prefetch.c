#include "cmus/prefetch.h"

#include <pthread.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/trace.h"

enum { BATCHES = 2 };

/* A group that is queued. */
typedef struct planned {
    struct planned *next;
    int epoch, count;
    int indices[];
} planned;

/* A batch and what it was loaded with. `message` goes with a failed status. */
typedef struct place {
    cmus_batch *batch;
    cmus_wave *wave;
    cmus_status status;
    char *message;
} place;

struct cmus_prefetch {
    const cmus_communicator *communicator;
    const cmus_net *net;
    const cmus_dataset *dataset;
    const cmus_config *config;
    double waited;
    unsigned long queued, finished; /* groups so far */
    pthread_t thread;
    cmus_wave **waves; /* the thread's: of the group that is being loaded */
    int wave_count, next_wave;

    /* Portion number n goes through places[n % BATCHES]. Whose a place is, follows from the counters below: the
     * thread's until its portion is loaded, then the caller's until that is given back. */
    place places[BATCHES];

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    planned *first, **end;                 /* groups that are not being loaded yet */
    unsigned long loaded, taken, returned; /* portions so far: returned <= taken <= loaded <= returned + BATCHES */
    bool stop;
};

/* By the thread, without the lock: the next wave of the group, which is planned when its first one is asked for. */
static cmus_wave *next_wave(cmus_prefetch *prefetch, planned *group) {
    if (group) {
        cmus_free(prefetch->waves);
        prefetch->wave_count =
            cmus_wave_plan(prefetch->net, prefetch->dataset, prefetch->config, prefetch->communicator->ranks,
                           group->indices, group->count, group->epoch, &prefetch->waves);
        prefetch->next_wave = 0;
        cmus_free(group);
    }
    cmus_wave *wave = prefetch->waves[prefetch->next_wave];
    prefetch->waves[prefetch->next_wave++] = NULL;
    return wave;
}

static void load(const cmus_prefetch *prefetch, place *p, cmus_wave *wave) {
    double began = cmus_trace_begin();
    p->wave = wave;
    p->status = cmus_batch_load(p->batch, wave, prefetch->communicator->rank);
    if (p->status != CMUS_OK)
        p->message = cmus_copy_string(cmus_last_error()); /* it is kept for this thread only */
    cmus_trace_end(CMUS_ACTIVITY_LOADING, "load images", began);
}

static void *run(void *data) {
    cmus_prefetch *prefetch = data;
    cmus_trace_thread("loading");
    /* It has the time of a whole update: it must not push the network off its core when it is woken. */
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    pthread_mutex_lock(&prefetch->lock);
    for (;;) {
        bool group_done = prefetch->next_wave == prefetch->wave_count;
        while (!prefetch->stop &&
               ((group_done && !prefetch->first) || prefetch->loaded - prefetch->returned == BATCHES))
            pthread_cond_wait(&prefetch->changed, &prefetch->lock);
        if (prefetch->stop)
            break;
        place *p = &prefetch->places[prefetch->loaded % BATCHES];
        planned *group = NULL;
        if (group_done) {
            group = prefetch->first;
            prefetch->first = group->next;
            if (!prefetch->first)
                prefetch->end = &prefetch->first;
        }
        pthread_mutex_unlock(&prefetch->lock);
        load(prefetch, p, next_wave(prefetch, group));
        pthread_mutex_lock(&prefetch->lock);
        prefetch->loaded++;
        pthread_cond_signal(&prefetch->changed);
    }
    pthread_mutex_unlock(&prefetch->lock);
    return NULL;
}

cmus_prefetch *cmus_prefetch_create(const cmus_communicator *communicator, const cmus_net *net, cmus_dataset *dataset,
                                    const cmus_config *config) {
    cmus_prefetch *prefetch = cmus_allocate(1, sizeof *prefetch);
    *prefetch = (cmus_prefetch){.communicator = communicator, .net = net, .dataset = dataset, .config = config};
    prefetch->end = &prefetch->first;
    for (int i = 0; i < BATCHES; i++)
        prefetch->places[i].batch = cmus_batch_create(net, dataset, config);
    pthread_mutex_init(&prefetch->lock, NULL);
    pthread_cond_init(&prefetch->changed, NULL);
    int error = pthread_create(&prefetch->thread, NULL, run, prefetch);
    if (error)
        cmus_fatal("can't start the thread that reads the data: %s", strerror(error));
    return prefetch;
}

static void empty(place *p) {
    cmus_wave_free(p->wave);
    cmus_free(p->message);
    p->wave = NULL;
    p->message = NULL;
}

void cmus_prefetch_free(cmus_prefetch *prefetch) {
    if (!prefetch)
        return;
    pthread_mutex_lock(&prefetch->lock);
    prefetch->stop = true;
    pthread_cond_signal(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->lock);
    pthread_join(prefetch->thread, NULL);
    pthread_cond_destroy(&prefetch->changed);
    pthread_mutex_destroy(&prefetch->lock);
    for (int i = 0; i < BATCHES; i++) {
        empty(&prefetch->places[i]);
        cmus_batch_free(prefetch->places[i].batch);
    }
    for (planned *group = prefetch->first; group;) {
        planned *next = group->next;
        cmus_free(group);
        group = next;
    }
    for (int i = prefetch->next_wave; i < prefetch->wave_count; i++)
        cmus_wave_free(prefetch->waves[i]);
    cmus_free(prefetch->waves);
    cmus_free(prefetch);
}

void cmus_prefetch_add(cmus_prefetch *prefetch, const int *indices, int count, int epoch) {
    size_t bytes = (size_t)count * sizeof *indices;
    planned *group = cmus_allocate(1, sizeof *group + bytes);
    *group = (planned){.epoch = epoch, .count = count};
    if (count > 0)
        memcpy(group->indices, indices, bytes);
    pthread_mutex_lock(&prefetch->lock);
    *prefetch->end = group;
    prefetch->end = &group->next;
    prefetch->queued++;
    pthread_cond_signal(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->lock);
}

/* Gives the taken portion back and waits for the next one; returns its place. */
static place *wait_for_next(cmus_prefetch *prefetch) {
    pthread_mutex_lock(&prefetch->lock);
    if (prefetch->taken > prefetch->returned) {
        empty(&prefetch->places[prefetch->returned % BATCHES]);
        prefetch->returned++;
        pthread_cond_signal(&prefetch->changed);
    }
    while (prefetch->loaded == prefetch->taken)
        pthread_cond_wait(&prefetch->changed, &prefetch->lock);
    place *p = &prefetch->places[prefetch->taken++ % BATCHES];
    pthread_mutex_unlock(&prefetch->lock);
    return p;
}

cmus_status cmus_prefetch_next(cmus_prefetch *prefetch, cmus_portion *portion) {
    if (prefetch->finished == prefetch->queued)
        cmus_fatal("a portion of the data is asked for that was never queued");
    double began = cmus_trace_begin();
    const place *p = wait_for_next(prefetch);
    cmus_trace_end(CMUS_ACTIVITY_WAITING, "wait for images", began);
    prefetch->waited += cmus_seconds() - began;
    prefetch->finished += p->wave->last;
    *portion = (cmus_portion){.wave = p->wave, .share = cmus_batch_share(p->batch)};
    return p->status == CMUS_OK ? CMUS_OK : cmus_fail(p->status, "%s", p->message);
}

double cmus_prefetch_waited(const cmus_prefetch *prefetch) {
    return prefetch->waited;
}
