/* run.json: what ran where, on what, from when to when. */
#include <math.h>
#include <omp.h>
#include <string.h>
#include <time.h>

#include "cmus/gemm.h"
#include "cmus/memory.h"
#include "cmus/product.h"
#include "cmus/program.h"
#include "trainer_internal.h"

static char *time_now(void) {
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    return cmus_copy_string(text);
}

/* The hosts' names, one a rank. */
static json_t *host_list(const char *hosts, int ranks) {
    json_t *list = json_array();
    for (int rank = 0; rank < ranks; rank++, hosts += strlen(hosts) + 1)
        json_array_append_new(list, json_string(hosts));
    return list;
}

cmus_status cmus_run_record_write(cmus_trainer *trainer, bool complete, double peak_memory) {
    const cmus_parameters *parameters = cmus_net_parameters(trainer->net);
    char *now = time_now();
    if (!trainer->started)
        trainer->started = cmus_copy_string(now);
    json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:I, s:I, s:i, s:i, s:I, s:b, s:o, s:s, s:s?}",
        "program", "cmus-train", "version", cmus_version(), "git_revision", cmus_git_revision(), "mpi",
        cmus_mpi_version(), "blas", cmus_blas_description(), "kernels", cmus_kernels_description(), "products",
        cmus_products_description(), "data", trainer->options->data, "ranks", trainer->communicator->ranks, "threads",
        omp_get_max_threads(), "folds", trainer->folds, "hosts",
        host_list(trainer->hosts, trainer->communicator->ranks), "parameters", (json_int_t)parameters->size, "tensors",
        (json_int_t)parameters->count, "training_cases", trainer->training_count, "held_out_cases",
        trainer->held_out_count, "updates", (json_int_t)trainer->position.step, "fold_complete", complete,
        "peak_memory_bytes", complete ? json_integer((json_int_t)peak_memory) : json_null(), "started",
        trainer->started, "ended", complete ? now : NULL);
    if (!record)
        cmus_fatal("run.json can't be made: a text is no UTF-8");
    json_object_set_new(record, "init", trainer->options->init ? json_string(trainer->options->init) : json_null());
    double joules = trainer->position.joules;
    json_object_set_new(record, "energy_joules", complete && !isnan(joules) ? json_real(joules) : json_null());
    cmus_run_identity_write(&trainer->identity, record);
    char *path = cmus_path_join(trainer->fold_folder, "run.json");
    cmus_status status = cmus_json_write(path, record);
    json_decref(record);
    cmus_free(path);
    cmus_free(now);
    return status;
}
