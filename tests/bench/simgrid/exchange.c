/* The messages of a sum and a spread of the reducer (src/dist/reducer_transfer.c), bucket after bucket with up to three
 * on their way, and nothing else: for SimGrid's SMPI, which says how long they take on a cluster that is not here.
 *   smpirun -np N -platform cluster.xml -hostfile HOSTS exchange PARAMETERS BUCKET_MB [FLOPS_A_BYTE]
 * prints "ranks N sum SECONDS spread SECONDS". FLOPS_A_BYTE: what adding a byte costs on the platform's hosts.
 */
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 3, FLOAT = 4 };

typedef struct bucket {
    int count; /* of requests */
    MPI_Request *requests;
} bucket;

static int rank, ranks;

/* Each rank sends a piece to every other one, and gets one from each. */
static void start(bucket *b, int bytes, char *data, int tag) {
    b->count = 0;
    for (int i = 1; i < ranks; i++)
        MPI_Irecv(data, bytes, MPI_BYTE, (rank - i + ranks) % ranks, tag, MPI_COMM_WORLD, &b->requests[b->count++]);
    for (int i = 1; i < ranks; i++)
        MPI_Isend(data, bytes, MPI_BYTE, (rank + i) % ranks, tag, MPI_COMM_WORLD, &b->requests[b->count++]);
}

/* Seconds until all buckets are through; a sum adds the parts of the own piece. */
static double travel(double parameters, double bucket_bytes, double flops_a_byte, char *data) {
    bucket buckets[DEPTH];
    int all = (int)((parameters * FLOAT + bucket_bytes - 1) / bucket_bytes);
    int bytes = (int)(parameters * FLOAT / all / ranks);
    for (int i = 0; i < DEPTH; i++)
        buckets[i].requests = malloc(2 * (size_t)ranks * sizeof(MPI_Request));
    MPI_Barrier(MPI_COMM_WORLD);
    double began = MPI_Wtime();
    for (int i = 0; i < all + DEPTH; i++) {
        if (i >= DEPTH) {
            bucket *oldest = &buckets[i % DEPTH];
            MPI_Waitall(oldest->count, oldest->requests, MPI_STATUSES_IGNORE);
            if (flops_a_byte > 0)
                smpi_execute_flops(flops_a_byte * bytes * ranks);
        }
        if (i < all)
            start(&buckets[i % DEPTH], bytes, data, i % 8192);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    double seconds = MPI_Wtime() - began;
    for (int i = 0; i < DEPTH; i++)
        free(buckets[i].requests);
    return seconds;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    double parameters = argc > 2 ? atof(argv[1]) : 0, bucket_bytes = argc > 2 ? atof(argv[2]) * 1048576 : 0;
    if (parameters < 1 || bucket_bytes < 1) {
        if (rank == 0)
            fprintf(stderr, "usage: exchange PARAMETERS BUCKET_MB [FLOPS_A_BYTE]\n");
        MPI_Finalize();
        return 2;
    }
    char *data = SMPI_SHARED_MALLOC((size_t)bucket_bytes + 64); /* one buffer for all: nobody looks at the bytes */
    double sum = travel(parameters, bucket_bytes, argc > 3 ? atof(argv[3]) : 0, data);
    double spread = travel(parameters, bucket_bytes, 0, data);
    if (rank == 0)
        printf("ranks %d sum %.6f spread %.6f\n", ranks, sum, spread);
    SMPI_SHARED_FREE(data);
    MPI_Finalize();
    return 0;
}
