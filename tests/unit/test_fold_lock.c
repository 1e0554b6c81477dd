/* The lock of a fold: one owner at a time, whoever wants it at once; dead owners are told from living ones. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmus/file.h"
#include "cmus/log.h"
#include "cmus/memory.h"
#include "fold_lock_internal.h"
#include "unit.h"

static const char folder[] = "lock_scratch", path[] = "lock_scratch/fold-3.lock";
static const cmus_fold_lock_times times = {.beat = 0.02, .patience = 0.3, .poll = 0.005},
                                  patient = {.beat = 0.02, .patience = 30, .poll = 0.005};
static const char *const job_variables[] = {"SLURM_JOB_ID",        "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
                                            "SLURM_RESTART_COUNT", "PBS_JOBID",          "LSB_JOBID"};

static void begin(void) {
    cmus_folder_remove(folder);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    for (size_t i = 0; i < sizeof job_variables / sizeof job_variables[0]; i++)
        unsetenv(job_variables[i]);
}

static size_t entries(void) {
    char **names;
    size_t count;
    CU_ASSERT_EQUAL_FATAL(cmus_folder_list(folder, &names, &count), CMUS_OK);
    cmus_names_free(names, count);
    return count;
}

static bool says(const char *text) {
    bool there = strstr(cmus_last_error(), text) != NULL;
    if (!there)
        printf("\n\"%s\" is not in: %s\n", text, cmus_last_error());
    return there;
}

/* In place, as an owner does. */
static void put(const char *name, const char *text) {
    FILE *file = fopen(name, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void put_owner(const char *name, const cmus_fold_owner *owner) {
    char *text = cmus_fold_owner_write(owner);
    put(name, text);
    cmus_free(text);
}

static cmus_fold_owner get_owner(void) {
    char *text;
    size_t size;
    cmus_fold_owner owner = {0};
    CU_ASSERT_EQUAL_FATAL(cmus_file_read(path, 10000, &text, &size), CMUS_OK);
    CU_ASSERT(cmus_fold_owner_read(text, size, &owner));
    cmus_free(text);
    return owner;
}

/* This process with another token, on another host. */
static cmus_fold_owner foreign_owner(void) {
    cmus_fold_owner owner;
    cmus_fold_owner_self(&owner);
    strcpy(owner.host, "elsewhere");
    strcpy(owner.boot_id, "another boot");
    return owner;
}

/* Takes the lock and gives it back; the seconds that it took, or -1. */
static double take_and_release(const cmus_fold_lock_times *with) {
    cmus_fold_lock *lock;
    double before = cmus_seconds();
    cmus_status status = cmus_fold_lock_take_timed(path, with, &lock);
    double took = cmus_seconds() - before;
    CU_ASSERT_EQUAL((status == CMUS_OK), (lock != NULL));
    if (lock) {
        CU_ASSERT_EQUAL(cmus_fold_lock_check(lock), CMUS_OK);
        cmus_fold_lock_release(lock);
        CU_ASSERT_EQUAL(entries(), 0);
    }
    return status == CMUS_OK ? took : -1;
}

/* A process that takes the lock and keeps it until it is killed. */
static pid_t fork_holder(void) {
    int told[2];
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        cmus_fold_lock *lock;
        if (cmus_fold_lock_take_timed(path, &times, &lock) == CMUS_OK && write(told[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(told[1]);
    CU_ASSERT_EQUAL_FATAL(read(told[0], &byte, 1), 1);
    close(told[0]);
    return child;
}

static void kill_and_wait(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Whether the process ends by itself, with a failure; it is waited for. */
static bool fails(pid_t child) {
    int status = 0;
    double before = cmus_seconds();
    while (cmus_seconds() - before < 10) {
        if (waitpid(child, &status, WNOHANG) != 0)
            return WIFEXITED(status) && WEXITSTATUS(status) != 0;
        usleep(10000);
    }
    kill_and_wait(child);
    return false;
}

static void a_free_lock_is_taken(void) {
    begin();
    CU_ASSERT(take_and_release(&patient) >= 0);
    setenv("SLURM_JOB_ID", "19", 1);
    cmus_fold_lock *lock;
    double before = cmus_seconds();
    CU_ASSERT_EQUAL_FATAL(cmus_fold_lock_take(path, &lock), CMUS_OK);
    cmus_fold_owner owner = get_owner();
    CU_ASSERT_EQUAL(owner.pid, getpid());
    CU_ASSERT_STRING_EQUAL(owner.job, "Slurm 19");
    CU_ASSERT_EQUAL(strlen(owner.since), strlen("2026-11-23 18:00:01"));
    CU_ASSERT_EQUAL(entries(), 1);
    cmus_fold_lock_release(lock);
    CU_ASSERT(cmus_seconds() - before < 5); /* does not wait for the next beat */
    cmus_fold_lock_release(NULL);
    CU_ASSERT_EQUAL(cmus_fold_lock_take("nowhere/fold-3.lock", &lock), CMUS_ERROR_IO);
    CU_ASSERT_PTR_NULL(lock);
}

static void its_owner_is_known(void) {
    begin();
    cmus_fold_owner owner, copy;
    setenv("SLURM_JOB_ID", "19", 1);
    setenv("SLURM_ARRAY_JOB_ID", "17", 1);
    setenv("SLURM_ARRAY_TASK_ID", "4", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    cmus_fold_owner_self(&owner);
    CU_ASSERT_STRING_EQUAL(owner.job, "Slurm 17_4");
    CU_ASSERT_STRING_EQUAL(owner.job_id, "19");
    CU_ASSERT_EQUAL(owner.job_start, 2);
    begin();
    setenv("PBS_JOBID", "5[3].\"head\"\n\xff", 1);
    cmus_fold_owner_self(&owner);
    CU_ASSERT_STRING_EQUAL(owner.job, "PBS 5[3].\"head\"\?\?");
    CU_ASSERT_EQUAL(owner.job_start, -1);
    owner.beat = 9;
    char *text = cmus_fold_owner_write(&owner);
    owner.beat = 12345;
    char *later = cmus_fold_owner_write(&owner);
    CU_ASSERT_EQUAL(strlen(text), strlen(later));
    memset(&copy, 0, sizeof copy);
    CU_ASSERT(cmus_fold_owner_read(later, strlen(later), &copy));
    CU_ASSERT_EQUAL(memcmp(&copy, &owner, sizeof copy), 0);
    CU_ASSERT_FALSE(cmus_fold_owner_read(text, strlen(text) - 4, &copy));
    CU_ASSERT_FALSE(cmus_fold_owner_read("[]", 2, &copy));
    CU_ASSERT_FALSE(cmus_fold_owner_read("", 0, &copy));
    cmus_free(text);
    cmus_free(later);
}

static void a_living_owner_keeps_it(void) {
    begin();
    setenv("SLURM_JOB_ID", "19", 1);
    pid_t child = fork_holder();
    char process[64];
    snprintf(process, sizeof process, "process %d, job Slurm 19 trains it since 2", (int)child);
    double before = cmus_seconds();
    cmus_fold_lock *lock;
    CU_ASSERT_EQUAL(cmus_fold_lock_take_timed(path, &patient, &lock), CMUS_ERROR_IO);
    CU_ASSERT_PTR_NULL(lock);
    CU_ASSERT(cmus_seconds() - before < 5);
    CU_ASSERT(says("lock_scratch/fold-3: host "));
    CU_ASSERT(says(process));
    kill(child, SIGSTOP); /* alive, without a heartbeat */
    usleep(100000);
    CU_ASSERT_EQUAL(cmus_fold_lock_take_timed(path, &times, &lock), CMUS_ERROR_IO);
    CU_ASSERT_EQUAL(entries(), 1);
    kill_and_wait(child);
    CU_ASSERT(take_and_release(&patient) < 5);
}

static void a_killed_owner_loses_it(void) {
    begin();
    pid_t child = fork_holder();
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); /* nobody has waited for it yet */
    double took = take_and_release(&patient);
    CU_ASSERT(took >= 0 && took < 5);
    waitpid(child, NULL, 0);
}

static void what_has_ended_loses_it(void) {
    cmus_fold_owner owner;
    begin();
    cmus_fold_owner_self(&owner); /* this process, but started at another time: its number was used again */
    owner.process_start--;
    put_owner(path, &owner);
    double took = take_and_release(&patient);
    CU_ASSERT(took >= 0 && took < 5);
    cmus_fold_owner_self(&owner); /* before this host was started anew */
    strcpy(owner.boot_id, "another boot");
    put_owner(path, &owner);
    took = take_and_release(&patient);
    CU_ASSERT(took >= 0 && took < 5);
    cmus_fold_owner_self(&owner); /* a process of another container has this number here */
    strcpy(owner.pid_namespace, "another name space");
    put_owner(path, &owner);
    took = take_and_release(&times);
    CU_ASSERT(took >= times.patience);
}

static void a_silent_host_loses_it(void) {
    begin();
    cmus_fold_owner owner = foreign_owner();
    put_owner(path, &owner);
    CU_ASSERT(take_and_release(&times) >= times.patience);
    put(path, "{\"host\": \"n1\", \"pi");
    CU_ASSERT(take_and_release(&times) >= times.patience);
    put(path, "");
    CU_ASSERT(take_and_release(&times) >= times.patience);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0777), 0);
    CU_ASSERT(take_and_release(&times) < 0);
    rmdir(path);
}

static atomic_bool beating;
static bool garbage;

static void *beat_elsewhere(void *data) {
    cmus_fold_owner *owner = data;
    for (owner->beat = 1; beating; owner->beat++) {
        if (garbage) {
            char text[32];
            snprintf(text, sizeof text, "cut off %lld", owner->beat);
            put(path, text);
        } else {
            put_owner(path, owner);
        }
        usleep(50000);
    }
    return NULL;
}

/* Whether the lock is refused while another host rewrites it, and soon. */
static bool refused_by_heartbeat(cmus_fold_owner owner) {
    pthread_t thread;
    put_owner(path, &owner);
    beating = true;
    pthread_create(&thread, NULL, beat_elsewhere, &owner);
    cmus_fold_lock *lock;
    double before = cmus_seconds();
    bool refused = cmus_fold_lock_take_timed(path, &patient, &lock) == CMUS_ERROR_IO && !lock;
    refused = refused && cmus_seconds() - before < 5;
    beating = false;
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(entries(), 1);
    return refused;
}

static void a_foreign_host_keeps_it(void) {
    begin();
    cmus_fold_owner owner = foreign_owner();
    CU_ASSERT(refused_by_heartbeat(owner));
    CU_ASSERT(says("host elsewhere, process"));
    garbage = true;
    CU_ASSERT(refused_by_heartbeat(owner));
    garbage = false;
    setenv("SLURM_JOB_ID", "19", 1); /* the same start of the same job, elsewhere */
    CU_ASSERT(refused_by_heartbeat(foreign_owner()));
}

static void the_same_job_takes_it_over(void) {
    begin();
    setenv("SLURM_JOB_ID", "19", 1);
    cmus_fold_owner owner = foreign_owner();
    put_owner(path, &owner);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    double took = take_and_release(&patient);
    CU_ASSERT(took >= 0 && took < 5);
    put_owner(path, &owner);
    setenv("SLURM_JOB_ID", "20", 1); /* another job */
    CU_ASSERT(take_and_release(&times) >= times.patience);
    owner = foreign_owner();
    put_owner(path, &owner);
    unsetenv("SLURM_RESTART_COUNT"); /* a later start has it */
    CU_ASSERT(take_and_release(&times) >= times.patience);
}

static void a_former_start_may_leave_first(void) {
    begin();
    setenv("SLURM_JOB_ID", "19", 1);
    pid_t child = fork_holder();
    setenv("SLURM_RESTART_COUNT", "1", 1);
    CU_ASSERT(take_and_release(&times) >= times.patience);
    CU_ASSERT(fails(child)); /* it finds its lock gone */
    unsetenv("SLURM_RESTART_COUNT");
    child = fork_holder();
    setenv("SLURM_RESTART_COUNT", "1", 1);
    fflush(NULL);
    pid_t killer = fork();
    if (killer == 0) {
        usleep(200000);
        kill(child, SIGKILL);
        _exit(0);
    }
    double took = take_and_release(&patient);
    CU_ASSERT(took >= 0.1 && took < 5);
    waitpid(killer, NULL, 0);
    waitpid(child, NULL, 0);
}

/* What the processes that want a lock at once tell, and what they wait for. */
typedef struct contest {
    int start[2], ready[2], told[2], end[2];
} contest;

static _Noreturn void contend(const contest *c) {
    char byte = 'r';
    cmus_fold_lock *lock;
    close(c->start[1]);
    close(c->end[1]);
    cmus_log_quiet(1);
    if (!freopen("/dev/null", "w", stderr) || write(c->ready[1], &byte, 1) != 1 || read(c->start[0], &byte, 1) != 0)
        _exit(2);
    byte = cmus_fold_lock_take_timed(path, &patient, &lock) == CMUS_OK ? 'w' : 'l';
    if (write(c->told[1], &byte, 1) != 1 || read(c->end[0], &byte, 1) != 0)
        _exit(2);
    if (lock && cmus_fold_lock_check(lock) != CMUS_OK)
        _exit(2);
    cmus_fold_lock_release(lock);
    _exit(0);
}

/* Processes that want the lock at the same moment; how many got it. */
static int count_winners(void) {
    enum { PROCESSES = 8 };
    contest c;
    int winners = 0, status;
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe(c.start) | pipe(c.ready) | pipe(c.told) | pipe(c.end), 0);
    fflush(NULL);
    for (int p = 0; p < PROCESSES; p++)
        if (fork() == 0)
            contend(&c);
    for (int p = 0; p < PROCESSES; p++)
        CU_ASSERT_EQUAL(read(c.ready[0], &byte, 1), 1);
    close(c.start[1]);
    for (int p = 0; p < PROCESSES; p++)
        winners += read(c.told[0], &byte, 1) == 1 && byte == 'w';
    CU_ASSERT_EQUAL(entries(), 1);
    close(c.end[1]);
    for (int p = 0; p < PROCESSES; p++) {
        wait(&status);
        CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    int others[] = {c.start[0], c.ready[0], c.ready[1], c.told[0], c.told[1], c.end[0]};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        close(others[i]);
    CU_ASSERT_EQUAL(entries(), 0);
    return winners;
}

static void one_of_many_gets_it(void) {
    enum { ROUNDS = 50 };
    begin();
    cmus_fold_owner dead;
    cmus_fold_owner_self(&dead);
    dead.process_start--;
    for (int i = 0; i < ROUNDS; i++) {
        CU_ASSERT_EQUAL(count_winners(), 1);
        put_owner(path, &dead);
        CU_ASSERT_EQUAL(count_winners(), 1);
    }
}

static void a_killed_taker_is_no_obstacle(void) {
    begin();
    char *next = cmus_format_string("%s.next", path);
    cmus_fold_owner dead;
    cmus_fold_owner_self(&dead);
    dead.process_start--;
    put_owner(path, &dead);
    put_owner(next, &dead);
    CU_ASSERT(take_and_release(&times) >= times.patience);
    cmus_free(next);
}

static void a_lost_lock_is_noticed(void) {
    static const cmus_fold_lock_times slow = {.beat = 60, .patience = 0.1, .poll = 0.01};
    begin();
    cmus_fold_lock *lock;
    CU_ASSERT_EQUAL_FATAL(cmus_fold_lock_take_timed(path, &slow, &lock), CMUS_OK);
    cmus_fold_owner other = foreign_owner();
    put_owner(path, &other);
    CU_ASSERT_EQUAL(cmus_fold_lock_check(lock), CMUS_ERROR_IO);
    CU_ASSERT(says("lock_scratch/fold-3: another job has taken over"));
    CU_ASSERT(says("host elsewhere, process"));
    cmus_fold_lock_release(lock); /* not its own any more */
    CU_ASSERT_EQUAL(entries(), 1);
    unlink(path);
    CU_ASSERT_EQUAL_FATAL(cmus_fold_lock_take_timed(path, &slow, &lock), CMUS_OK);
    unlink(path);
    CU_ASSERT_EQUAL(cmus_fold_lock_check(lock), CMUS_ERROR_IO);
    CU_ASSERT(says("is gone"));
    cmus_fold_lock_release(lock);
}

static void a_loser_ends(void) {
    for (int removed = 0; removed < 2; removed++) {
        begin();
        pid_t child = fork_holder();
        cmus_fold_owner other = foreign_owner();
        char *text = cmus_fold_owner_write(&other);
        if (removed)
            unlink(path);
        else
            CU_ASSERT_EQUAL(cmus_file_write(path, text, strlen(text)), CMUS_OK); /* renamed to it, as a taker does */
        CU_ASSERT(fails(child));
        CU_ASSERT_EQUAL(entries(), (size_t)!removed);
        if (!removed)
            CU_ASSERT_STRING_EQUAL(get_owner().token, other.token);
        cmus_free(text);
    }
}

static void it_shows_signs_of_life(void) {
    begin();
    cmus_fold_lock *lock;
    CU_ASSERT_EQUAL_FATAL(cmus_fold_lock_take_timed(path, &times, &lock), CMUS_OK);
    struct stat before, after;
    stat(path, &before);
    cmus_fold_owner first = get_owner(), later = first;
    for (double began = cmus_seconds(); later.beat < first.beat + 12 && cmus_seconds() - began < 10;) {
        CU_ASSERT_EQUAL(cmus_fold_lock_check(lock), CMUS_OK); /* also while it is rewritten */
        later = get_owner();
    }
    CU_ASSERT(later.beat >= first.beat + 12);
    CU_ASSERT_STRING_EQUAL(later.token, first.token);
    stat(path, &after);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
    CU_ASSERT_EQUAL(before.st_size, after.st_size);
    cmus_fold_lock_release(lock);
    cmus_folder_remove(folder);
}

int main(void) {
    static const unit_test tests[] = {
        {"a free lock is taken", a_free_lock_is_taken},
        {"its owner is known", its_owner_is_known},
        {"a living owner keeps it", a_living_owner_keeps_it},
        {"a killed owner loses it", a_killed_owner_loses_it},
        {"what has ended loses it", what_has_ended_loses_it},
        {"a silent host loses it", a_silent_host_loses_it},
        {"a foreign host keeps it", a_foreign_host_keeps_it},
        {"the same job takes it over", the_same_job_takes_it_over},
        {"a former start may leave first", a_former_start_may_leave_first},
        {"one of many gets it", one_of_many_gets_it},
        {"a killed taker is no obstacle", a_killed_taker_is_no_obstacle},
        {"a lost lock is noticed", a_lost_lock_is_noticed},
        {"a loser ends", a_loser_ends},
        {"it shows signs of life", it_shows_signs_of_life},
    };
    return unit_main("fold lock", tests, sizeof tests / sizeof tests[0]);
}
