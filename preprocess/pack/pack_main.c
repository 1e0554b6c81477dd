/* cmus-pack: cases to HDF5 shards. */
#include <omp.h>
#include <stdbool.h>

#include "cmus/communicator.h"
#include "cmus/file.h"
#include "cmus/launch.h"
#include "cmus/program.h"
#include "cmus/stop.h"
#include "describe.h"
#include "pack_options.h"
#include "pack_run.h"
#include "preview.h"
#include "verify.h"

/* Looks at a packed data set instead of making one. */
static cmus_status look(const cmus_pack_options *options, const char *folder) {
    CMUS_TRY(options->verify ? cmus_verify_dataset(folder) : CMUS_OK);
    CMUS_TRY(options->describe ? cmus_describe_dataset(folder) : CMUS_OK);
    if (!options->preview)
        return CMUS_OK;
    if (cmus_path_lies_in(options->preview, folder))
        return cmus_fail(CMUS_ERROR_ARGUMENT, "%s: must not lie in the data set; name another place", options->preview);
    return cmus_preview_write(folder, options->preview);
}

static cmus_status pack(const cmus_communicator *communicator, bool several, const cmus_pack_options *options) {
    cmus_stop_listen();
    cmus_stop_listen_interrupt();
    if (several)
        CMUS_TRY(cmus_launch_check(communicator, omp_get_max_threads()));
    return cmus_pack_run(communicator, options);
}

int main(int argc, char **argv) {
    cmus_program_begin("cmus-pack");
    bool several;
    cmus_communicator communicator = cmus_launch_begin(&argc, &argv, "cmus-pack", &several);
    cmus_pack_options options;
    cmus_pack_options_parse(communicator.rank, argc, argv, &options);
    const char *folder = options.verify     ? options.verify
                         : options.describe ? options.describe
                         : !options.out     ? options.sources[0]
                                            : NULL;
    cmus_status status = CMUS_OK;
    if (!folder)
        status = pack(&communicator, several, &options);
    else if (communicator.rank == 0)
        status = look(&options, folder);
    cmus_pack_options_free(&options);
    int code = communicator.rank == 0 ? cmus_program_end(status) : 0;
    cmus_broadcast(&communicator, &code, sizeof code, 0);
    if (several)
        cmus_communicator_end();
    return code;
}
