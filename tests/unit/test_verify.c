/* Verifying finds every flipped byte of a data set, and tells of files that it does not know.
 *   test_verify [STEP]    every STEP-th byte is flipped (default 7)
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmus/memory.h"
#include "scratch_dataset.h"
#include "unit.h"
#include "verify.h"

static const char folder[] = "verify_scratch";
static const char *const further[] = {"findings.csv", "rejected.csv"};
static size_t step = 7;

static int bag_of(int case_index) {
    return 1 + case_index;
}

static void write_dataset(void) {
    scratch_dataset files = {.folder = folder,
                             .cases = 2,
                             .side = 8,
                             .bag_of = bag_of,
                             .compression = 1,
                             .statistics = "{\"om\": {\"images\": 2}}",
                             .further = further,
                             .further_count = 2};
    scratch_dataset_write(&files);
}

/* Verifies; *said: what was written on stderr, to be freed with cmus_free(). */
static cmus_status verify(char **said) {
    enum { MOST = 1 << 16 };
    int kept = dup(STDERR_FILENO), memory = memfd_create("said", 0);
    fflush(stderr);
    CU_ASSERT_FATAL(kept >= 0 && memory >= 0 && dup2(memory, STDERR_FILENO) >= 0);
    cmus_status status = cmus_verify_dataset(folder);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    *said = cmus_allocate(MOST + 1, 1);
    CU_ASSERT(pread(memory, *said, MOST, 0) >= 0);
    close(memory);
    return status;
}

/* Flips bits of the file's bytes, one byte at a time; the number of flips that went unnoticed. */
static int flip_bytes(const char *name, int *flips) {
    char *path = cmus_path_join(folder, name), *bytes, *said;
    size_t size;
    int unnoticed = 0;
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &bytes, &size), CMUS_OK);
    for (size_t i = *flips % step; i < size; i += step, ++*flips) {
        FILE *file = fopen(path, "r+b"); /* without fsync: thousands of them */
        CU_ASSERT_FATAL(file && fseek(file, (long)i, SEEK_SET) == 0);
        fputc(bytes[i] ^ (1 << i % 8), file);
        fclose(file);
        unnoticed += verify(&said) == CMUS_OK;
        cmus_free(said);
        file = fopen(path, "r+b");
        CU_ASSERT_FATAL(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    }
    cmus_free(bytes);
    cmus_free(path);
    return unnoticed;
}

static void every_flipped_byte_is_found(void) {
    static const char *const names[] = {"dataset.json", "MANIFEST.sha256", "shard-00000.h5", "findings.csv",
                                        "rejected.csv"};
    char *said;
    int flips = 0;
    write_dataset();
    CU_ASSERT_EQUAL_FATAL(verify(&said), CMUS_OK);
    CU_ASSERT_PTR_NULL(strstr(said, "warning"));
    cmus_free(said);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CU_ASSERT_EQUAL(flip_bytes(names[i], &flips), 0);
    printf("%d flips ", flips);
    CU_ASSERT_EQUAL(verify(&said), CMUS_OK);
    cmus_free(said);
}

static void damaged_files_are_all_named(void) {
    char *said;
    write_dataset();
    cmus_file_write("verify_scratch/findings.csv", "", 0);
    unlink("verify_scratch/rejected.csv");
    cmus_file_write("verify_scratch/shard-00000.h5", "x", 1);
    CU_ASSERT_EQUAL(verify(&said), CMUS_ERROR_CHECKSUM);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(said, further[i]));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "shard-00000.h5: the content differs"));
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "3 files are damaged or missing"));
    cmus_free(said);
}

static void unknown_files_get_a_warning(void) {
    char *said;
    write_dataset();
    cmus_file_write("verify_scratch/splits.csv", "x", 1);
    CU_ASSERT_EQUAL(verify(&said), CMUS_OK);
    CU_ASSERT_PTR_NULL(strstr(said, "warning"));
    cmus_free(said);
    cmus_file_write("verify_scratch/shard-00001.h5", "x", 1);
    CU_ASSERT_EQUAL(verify(&said), CMUS_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warning: verify_scratch/shard-00001.h5: is in the folder"));
    cmus_free(said);
    unlink("verify_scratch/shard-00001.h5");
    unlink("verify_scratch/MANIFEST.sha256"); /* made by hand: the shards are those of dataset.json */
    CU_ASSERT_EQUAL(verify(&said), CMUS_OK);
    CU_ASSERT_PTR_NULL(strstr(said, "shard-00000.h5: is"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "warning: verify_scratch/findings.csv"));
    cmus_free(said);
    cmus_folder_remove(folder);
}

int main(int argc, char **argv) {
    static const unit_test tests[] = {
        {"every flipped byte is found", every_flipped_byte_is_found},
        {"damaged files are all named", damaged_files_are_all_named},
        {"unknown files get a warning", unknown_files_get_a_warning},
    };
    if (argc > 1)
        step = (size_t)strtoul(argv[1], NULL, 10);
    return unit_main("verify", tests, sizeof tests / sizeof tests[0]);
}
