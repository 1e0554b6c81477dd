/* Checkpoints: the state after a kill at any step of the rotation is found again; damaged and foreign ones are not
 * used. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmus/checkpoint.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "unit.h"

static const char FOLD[] = "checkpoint_scratch";
enum { SIZE = 12 };

static cmus_config config;
static cmus_run_identity identity;
static cmus_parameters parameters;
static float weights[SIZE], first[SIZE], second[SIZE], second_max[SIZE];
static float *const moment_values[CMUS_MOMENTS] = {first, second, second_max};

static void get_moments(void *context, int moment, size_t begin, size_t count, float *values) {
    memcpy(values, ((float *const *)context)[moment] + begin, count * sizeof *values);
}

static void set_moments(void *context, int moment, size_t begin, size_t count, const float *values) {
    memcpy(((float *const *)context)[moment] + begin, values, count * sizeof *values);
}

static const cmus_moments moments = {(void *)moment_values, get_moments, set_moments};

static void begin(void) {
    cmus_folder_remove(FOLD);
    cmus_folder_make(FOLD);
    cmus_config_defaults(&config);
    identity = (cmus_run_identity){
        .config = &config, .dataset_hash = "d", .splits_hash = "s", .fold = 1, .images = "{\"filter\":1}"};
    cmus_config_hash(&config, identity.config_hash);
    cmus_parameters_free(&parameters);
    parameters = (cmus_parameters){0};
    cmus_parameters_add(&parameters, CMUS_INITIAL_ZERO, 1, 2, (int[]){2, 3}, "a.weight");
    cmus_parameters_add(&parameters, CMUS_INITIAL_ZERO, 1, 1, (int[]){6}, "b.attn.relative_position_bias_table");
}

static void fill(float value) {
    for (int i = 0; i < SIZE; i++) {
        weights[i] = value + (float)i;
        first[i] = value + 100 + (float)i;
        second[i] = value + 200 + (float)i;
        second_max[i] = value + 300 + (float)i;
    }
}

/* Sums of doubles need all their digits. */
static double metric_of(int epoch, size_t field) {
    return 1.0 / (3 + epoch + (double)field) + (double)field * 1e5;
}

/* Writes the checkpoint of an epoch, whose number is its content. */
static void write_epoch(int epoch) {
    fill((float)epoch * 1000);
    cmus_position position = {.epoch = epoch,
                              .step = 10 * epoch,
                              .skipped = epoch + 3,
                              .seconds = epoch + 0.1,
                              .joules = epoch == 2 ? NAN : epoch + 0.7};
    for (size_t i = 0; i < CMUS_METRICS_FIELDS; i++)
        ((double *)&position.metrics)[i] = metric_of(epoch, i);
    CU_ASSERT_EQUAL_FATAL(cmus_checkpoint_write(FOLD, &identity, position, &parameters, weights, &moments), CMUS_OK);
}

/* Weights say of which network they are; what may differ between runs of the same weights is not in the file. */
static void expect_metadata(const char *path) {
    cmus_safetensors *file;
    CU_ASSERT_EQUAL_FATAL(cmus_safetensors_open(path, &file), CMUS_OK);
    const char *text = cmus_safetensors_metadata(file, CMUS_METADATA_CONFIG);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "embed_dim: 128\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "memory_gib"));
    CU_ASSERT_PTR_NULL(strstr(text, "trace"));
    cmus_config read;
    char hash[CMUS_SHA256_TEXT];
    CU_ASSERT_EQUAL(cmus_config_parse(text, "metadata", NULL, 0, &read), CMUS_OK);
    cmus_config_hash(&read, hash);
    CU_ASSERT_STRING_EQUAL(hash, identity.config_hash);
    CU_ASSERT_STRING_EQUAL(cmus_safetensors_metadata(file, CMUS_METADATA_IMAGES), "{\"filter\":1}");
    CU_ASSERT_STRING_EQUAL(cmus_safetensors_metadata(file, CMUS_METADATA_VERSION), cmus_version());
    cmus_safetensors_close(file);
}

static void expect_epoch(int epoch) {
    cmus_position position = {0};
    CU_ASSERT_TRUE(cmus_checkpoint_exists(FOLD));
    CU_ASSERT_EQUAL_FATAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_OK);
    CU_ASSERT_EQUAL(position.epoch, epoch);
    CU_ASSERT_EQUAL(position.step, 10 * epoch);
    CU_ASSERT_EQUAL(position.skipped, epoch + 3);
    CU_ASSERT_EQUAL(position.seconds, epoch + 0.1);
    CU_ASSERT(epoch == 2 ? isnan(position.joules) : position.joules == epoch + 0.7);
    for (size_t i = 0; i < CMUS_METRICS_FIELDS; i++)
        CU_ASSERT_EQUAL(((double *)&position.metrics)[i], metric_of(epoch, i));
    expect_metadata("checkpoint_scratch/last/weights.safetensors");
    fill(-1);
    CU_ASSERT_EQUAL_FATAL(cmus_checkpoint_read(FOLD, &parameters, weights, &moments), CMUS_OK);
    int wrong = 0;
    for (int i = 0; i < SIZE; i++)
        for (int m = 0; m <= CMUS_MOMENTS; m++)
            wrong += (m ? moment_values[m - 1] : weights)[i] != (float)(epoch * 1000 + 100 * m + i);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_FALSE(cmus_folder_exists("checkpoint_scratch/last.new"));
    CU_ASSERT_FALSE(cmus_folder_exists("checkpoint_scratch/last.old"));
}

static void move(const char *from, const char *to) {
    char source[100], target[100];
    snprintf(source, sizeof source, "%s/%s", FOLD, from);
    snprintf(target, sizeof target, "%s/%s", FOLD, to);
    CU_ASSERT_EQUAL(rename(source, target), 0);
}

static void flip_byte(const char *name) {
    char path[100], *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", FOLD, name);
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 1 << 20, &data, &size), CMUS_OK);
    data[size - 1] ^= 1;
    cmus_file_write(path, data, size);
    cmus_free(data);
}

static void newest_is_found(void) {
    begin();
    CU_ASSERT_FALSE(cmus_checkpoint_exists(FOLD));
    write_epoch(1);
    write_epoch(2);
    expect_epoch(2);
}

static void kill_in_the_rotation(void) {
    begin(); /* after last.new was completed */
    write_epoch(2);
    move("last", "kept");
    write_epoch(1);
    move("kept", "last.new");
    expect_epoch(2);
    begin(); /* after last was moved away */
    write_epoch(1);
    move("last", "last.old");
    write_epoch(2);
    move("last", "last.new");
    expect_epoch(2);
    begin(); /* after last.new took its place */
    write_epoch(1);
    move("last", "kept");
    write_epoch(2);
    move("kept", "last.old");
    expect_epoch(2);
    begin(); /* the very first one, complete but not in its place */
    write_epoch(1);
    move("last", "last.new");
    expect_epoch(1);
}

static void kill_while_writing(void) {
    begin();
    write_epoch(1);
    move("last", "kept");
    write_epoch(2);
    move("last", "last.new");
    move("kept", "last");
    unlink("checkpoint_scratch/last.new/MANIFEST.sha256");
    expect_epoch(1);
    begin(); /* the very first one: nothing to resume from */
    write_epoch(1);
    move("last", "last.new");
    unlink("checkpoint_scratch/last.new/MANIFEST.sha256");
    CU_ASSERT_FALSE(cmus_checkpoint_exists(FOLD));
}

static void damage_is_passed_over(void) {
    const char *const names[] = {"last/weights.safetensors", "last/moments.safetensors", "last/state.json"};
    for (int i = 0; i < 3; i++) {
        begin();
        write_epoch(1);
        move("last", "kept");
        write_epoch(2);
        move("kept", "last.old");
        flip_byte(names[i]);
        expect_epoch(1);
    }
    begin();
    write_epoch(1);
    flip_byte("last/weights.safetensors");
    cmus_position position;
    CU_ASSERT_EQUAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_ERROR_CHECKSUM);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), FOLD));
}

static void other_runs_are_refused(void) {
    begin();
    write_epoch(1);
    cmus_position position;
    config.lr = 0.5;
    cmus_config_hash(&config, identity.config_hash);
    CU_ASSERT_EQUAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_ERROR_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "lr is 5e-05 there, 0.5 here"));
    config.lr = 5e-5;
    cmus_config_hash(&config, identity.config_hash);
    config.memory_gib = 3;
    expect_epoch(1);
    identity.fold = 2;
    CU_ASSERT_EQUAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_ERROR_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "fold is 1 of repeat 0 there, 2 of repeat 0 here"));
    identity.fold = 1;
    strcpy(identity.dataset_hash, "e");
    CU_ASSERT_EQUAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_ERROR_MISMATCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(cmus_last_error(), "data set"));
    strcpy(identity.dataset_hash, "d");
    strcpy(identity.splits_hash, "x");
    CU_ASSERT_EQUAL(cmus_checkpoint_settle(FOLD, &identity, &position), CMUS_ERROR_MISMATCH);
    cmus_folder_remove(FOLD);
    cmus_parameters_free(&parameters);
}

int main(void) {
    static const unit_test tests[] = {
        {"the newest is found", newest_is_found},           {"a kill in the rotation", kill_in_the_rotation},
        {"a kill while writing", kill_while_writing},       {"damage is passed over", damage_is_passed_over},
        {"other runs are refused", other_runs_are_refused},
    };
    return unit_main("checkpoint", tests, sizeof tests / sizeof tests[0]);
}
