#include "cmus/prefetch.h"

#include <pthread.h>
#include <string.h>

#include "cmus/log.h"
#include "cmus/memory.h"

enum { BATCHES = 2 };

/* A portion that is queued, or in one of the batches. */
typedef struct planned {
    struct planned *next;
    int epoch, count;
    bool last;
    int indices[];
} planned;

/* A batch and what it was loaded with. `message` goes with a failed status. */
typedef struct place {
    cmus_batch *batch;
    planned *portion;
    cmus_status status;
    char *message;
} place;

struct cmus_prefetch {
    const cmus_communicator *communicator;
    const cmus_dataset *dataset;
    const cmus_config *config;
    double waited;
    unsigned long queued; /* portions so far */
    pthread_t thread;

    /* Portion number n goes through places[n % BATCHES]. Whose a place is, follows from the counters below: the
     * thread's until its portion is loaded, then the caller's until that is given back. */
    place places[BATCHES];

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    planned *first, **end;                 /* portions that are not being loaded yet */
    unsigned long loaded, taken, returned; /* portions so far: returned <= taken <= loaded <= returned + BATCHES */
    bool stop;
};

static void load(place *p) {
    p->status = cmus_batch_load(p->batch, p->portion->indices, p->portion->count, p->portion->epoch);
    if (p->status != CMUS_OK)
        p->message = cmus_copy_string(cmus_last_error()); /* it is kept for this thread only */
}

static void *run(void *data) {
    cmus_prefetch *prefetch = data;
    /* It has the time of a whole update: it must not push the network off its core when it is woken. */
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    pthread_mutex_lock(&prefetch->lock);
    for (;;) {
        while (!prefetch->stop && (!prefetch->first || prefetch->loaded - prefetch->returned == BATCHES))
            pthread_cond_wait(&prefetch->changed, &prefetch->lock);
        if (prefetch->stop)
            break;
        place *p = &prefetch->places[prefetch->loaded % BATCHES];
        p->portion = prefetch->first;
        prefetch->first = p->portion->next;
        if (!prefetch->first)
            prefetch->end = &prefetch->first;
        pthread_mutex_unlock(&prefetch->lock);
        load(p);
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
    *prefetch = (cmus_prefetch){.communicator = communicator, .dataset = dataset, .config = config};
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
    cmus_free(p->portion);
    cmus_free(p->message);
    p->portion = NULL;
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
    for (planned *portion = prefetch->first; portion;) {
        planned *next = portion->next;
        cmus_free(portion);
        portion = next;
    }
    cmus_free(prefetch);
}

/* How many of the cases own [count] the next portion takes: as many as its limits allow, at least one. */
static int portion_cases(const cmus_prefetch *prefetch, const int *own, int count) {
    size_t side = (size_t)prefetch->config->net.image_size, each = 3 * side * side * sizeof(float), images = 0;
    int cases = 0;
    while (cases < count && cases < CMUS_CASES_AT_ONCE) {
        images += (size_t)cmus_case_images(prefetch->dataset, prefetch->config, own[cases]);
        if (cases > 0 && images * each > CMUS_PIXEL_BYTES_AT_ONCE)
            break;
        cases++;
    }
    return cases;
}

static planned *plan_portion(const int *indices, int count, int epoch) {
    size_t bytes = (size_t)count * sizeof *indices;
    planned *portion = cmus_allocate(1, sizeof *portion + bytes);
    *portion = (planned){.epoch = epoch, .count = count};
    memcpy(portion->indices, indices, bytes);
    return portion;
}

void cmus_prefetch_add(cmus_prefetch *prefetch, const int *indices, int count, int epoch) {
    int *rank_of = cmus_allocate((size_t)count, sizeof(int)), *own = cmus_allocate((size_t)count, sizeof(int));
    int own_count = 0, begin = 0;
    cmus_batch_share(prefetch->dataset, prefetch->config, indices, count, prefetch->communicator->ranks, rank_of);
    for (int i = 0; i < count; i++)
        if (rank_of[i] == prefetch->communicator->rank)
            own[own_count++] = indices[i];
    pthread_mutex_lock(&prefetch->lock);
    do {
        int cases = portion_cases(prefetch, own + begin, own_count - begin);
        planned *portion = plan_portion(own + begin, cases, epoch);
        begin += cases;
        portion->last = begin == own_count;
        *prefetch->end = portion;
        prefetch->end = &portion->next;
        prefetch->queued++;
    } while (begin < own_count);
    pthread_cond_signal(&prefetch->changed);
    pthread_mutex_unlock(&prefetch->lock);
    cmus_free(own);
    cmus_free(rank_of);
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
    if (prefetch->taken == prefetch->queued)
        cmus_fatal("a portion of the data is asked for that was never queued");
    double began = cmus_seconds();
    const place *p = wait_for_next(prefetch);
    prefetch->waited += cmus_seconds() - began;
    *portion = (cmus_portion){.count = p->portion->count,
                              .last = p->portion->last,
                              .indices = p->portion->indices,
                              .cases = cmus_batch_cases(p->batch),
                              .results = cmus_batch_results(p->batch)};
    return p->status == CMUS_OK ? CMUS_OK : cmus_fail(p->status, "%s", p->message);
}

double cmus_prefetch_waited(const cmus_prefetch *prefetch) {
    return prefetch->waited;
}
