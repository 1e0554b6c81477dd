/* The folder of staged copies: gone however its process ends, kept while it lives, whoever else makes and cleans. */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "cmus/program.h"
#include "stage_folder.h"
#include "unit.h"

static const char directory[] = "stage_scratch";
static const char *const names[] = {"shard-00000.h5", "shard-00001.h5"};

static size_t entries(void) {
    char **found;
    size_t count;
    CU_ASSERT_EQUAL_FATAL(cmus_folder_list(directory, &found, &count), CMUS_OK);
    cmus_names_free(found, count);
    return count;
}

static bool write_file(const char *name) {
    char *path = cmus_path_join(cmus_stage_folder_path(), name);
    bool done = cmus_file_write(path, "x", 1) == CMUS_OK;
    cmus_free(path);
    return done;
}

typedef enum ending { RETURNS, EXITS, IS_FATAL, IS_TERMINATED, IS_INTERRUPTED, IS_KILLED } ending;

static void end_by(ending how) {
    if (how == RETURNS)
        cmus_stage_folder_remove();
    if (how == EXITS)
        exit(0);
    if (how == IS_FATAL) {
        fclose(stderr);
        cmus_set_fatal_exit(_exit); /* as dist does: what exit() calls is not called */
        cmus_fatal("an error");
    }
    if (how >= IS_TERMINATED)
        raise(how == IS_TERMINATED ? SIGTERM : how == IS_INTERRUPTED ? SIGINT : SIGKILL);
    _exit(0);
}

/* A process that makes a folder with one of its two files and ends; how it ended. */
static int make_and_end(ending how) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (cmus_stage_folder_make(directory, names, 2) != CMUS_OK || !write_file(names[1]))
            _exit(99);
        end_by(how);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void nothing_is_left(void) {
    cmus_folder_remove(directory);
    cmus_folder_make(directory);
    CU_ASSERT_EQUAL(WEXITSTATUS(make_and_end(RETURNS)), 0);
    CU_ASSERT_EQUAL(entries(), 0);
    CU_ASSERT_EQUAL(WEXITSTATUS(make_and_end(EXITS)), 0);
    CU_ASSERT_EQUAL(entries(), 0);
    CU_ASSERT_EQUAL(WEXITSTATUS(make_and_end(IS_FATAL)), CMUS_EXIT_FATAL);
    CU_ASSERT_EQUAL(entries(), 0);
    CU_ASSERT_EQUAL(WTERMSIG(make_and_end(IS_TERMINATED)), SIGTERM);
    CU_ASSERT_EQUAL(entries(), 0);
    CU_ASSERT_EQUAL(WTERMSIG(make_and_end(IS_INTERRUPTED)), SIGINT);
    CU_ASSERT_EQUAL(entries(), 0);
    CU_ASSERT_EQUAL(WTERMSIG(make_and_end(IS_KILLED)), SIGKILL);
    CU_ASSERT_EQUAL(entries(), 1);
    cmus_stage_folder_clean(directory);
    CU_ASSERT_EQUAL(entries(), 0);
}

static void own_folder_is_kept(void) {
    cmus_folder_remove(directory);
    cmus_folder_make(directory);
    CU_ASSERT_EQUAL_FATAL(cmus_stage_folder_make(directory, names, 2), CMUS_OK);
    struct stat info;
    CU_ASSERT_EQUAL(stat(cmus_stage_folder_path(), &info), 0);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0700);
    cmus_stage_folder_clean(directory);
    CU_ASSERT(write_file(names[0]));
    CU_ASSERT_EQUAL(entries(), 1);
    cmus_stage_folder_remove();
    CU_ASSERT_EQUAL(entries(), 0);
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    CU_ASSERT(action.sa_handler == SIG_DFL);
    CU_ASSERT_EQUAL(cmus_stage_folder_make("nowhere", names, 2), CMUS_ERROR_IO);
}

/* One of the processes that make, use, clean and remove at once; false if its folder vanished. */
static bool disturb(int rounds, int number) {
    for (int i = 0; i < rounds; i++) {
        if (cmus_stage_folder_make(directory, names, 2) != CMUS_OK || !write_file(names[i % 2]))
            return false;
        if (i % 3 == number % 3)
            cmus_stage_folder_clean(directory);
        struct stat info;
        char *path = cmus_path_join(cmus_stage_folder_path(), names[i % 2]);
        bool there = stat(path, &info) == 0;
        cmus_free(path);
        if (!there)
            return false;
        if (i == rounds - 1 && number == 0)
            raise(SIGKILL);
        cmus_stage_folder_remove();
    }
    return true;
}

static void many_do_not_meet(void) {
    enum { PROCESSES = 6, ROUNDS = 60 };
    cmus_folder_remove(directory);
    cmus_folder_make(directory);
    fflush(NULL);
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0) {
            cmus_log_quiet(1);
            _exit(disturb(ROUNDS, p) ? 0 : 1);
        }
    int failed = 0, killed = 0, status;
    for (int p = 0; p < PROCESSES; p++) {
        wait(&status);
        killed += WIFSIGNALED(status);
        failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    }
    CU_ASSERT_EQUAL(failed, 0);
    CU_ASSERT_EQUAL(killed, 1);
    cmus_stage_folder_clean(directory);
    CU_ASSERT_EQUAL(entries(), 0);
    cmus_folder_remove(directory);
}

int main(void) {
    static const unit_test tests[] = {
        {"nothing is left", nothing_is_left},
        {"own folder is kept", own_folder_is_kept},
        {"many do not meet", many_do_not_meet},
    };
    return unit_main("stage folder", tests, sizeof tests / sizeof tests[0]);
}
