#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmus/memory.h"
#include "cmus/utf8.h"
#include "report/report_text.h"

extern char **environ;

static const char how_to_install[] = "install it by: apt-get install gnuplot-nox";

/* Runs `gnuplot --default-settings SCRIPT` in the folder, its output and errors going to the file `messages`. The
 * scripts name files within the folder only, so that the folder's own path may hold any bytes. */
static cmus_status run_gnuplot(const char *folder, const char *script, const char *messages, int *exit_status) {
    char *arguments[] = {(char[]){"gnuplot"}, (char[]){"--default-settings"}, (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, messages, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    pid_t child;
    int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return cmus_fail(CMUS_ERROR_NOT_FOUND, "gnuplot, which draws the pictures, was not found; %s", how_to_install);
    if (error)
        return cmus_fail(CMUS_ERROR_IO, "gnuplot can't be started: %s", strerror(error));
    while (waitpid(child, exit_status, 0) < 0)
        if (errno != EINTR)
            return cmus_fail(CMUS_ERROR_IO, "gnuplot: %s", strerror(errno));
    return CMUS_OK;
}

/* Runs a script of the folder; what gnuplot says goes into the message if it fails. */
static cmus_status run_script(const char *folder, const char *script) {
    enum { MESSAGE_LIMIT = 1 << 20 };
    char *messages = cmus_format_string("%s/%s.log", folder, script), *text = NULL;
    size_t size = 0;
    int exit_status = 0;
    cmus_status status = run_gnuplot(folder, script, messages, &exit_status);
    if (status == CMUS_OK && exit_status != 0) {
        bool told = cmus_file_read(messages, MESSAGE_LIMIT, &text, &size) == CMUS_OK;
        while (told && size && strchr("\n ", text[size - 1]))
            text[--size] = 0;
        status = cmus_fail(CMUS_ERROR_IO, "gnuplot failed on %s: %s", script, told ? text : "it gave no message");
        cmus_free(text);
    }
    unlink(messages);
    cmus_free(messages);
    return status;
}

cmus_status report_gnuplot_check(const char *folder) {
    static const char probe[] = "set terminal svg\nset terminal pngcairo\n";
    char *script = cmus_path_join(folder, "probe.gp");
    cmus_status status = cmus_file_write(script, probe, sizeof probe - 1);
    if (status == CMUS_OK) {
        status = run_script(folder, "probe.gp");
        if (status == CMUS_ERROR_IO)
            status = cmus_fail_in(status, "gnuplot lacks the terminals svg and pngcairo; %s", how_to_install);
    }
    unlink(script);
    cmus_free(script);
    return status;
}

cmus_status report_plot_begin(const char *folder, const char *name, int width, int height, report_plot *plot) {
    *plot = (report_plot){.width = width, .height = height};
    char *path = cmus_format_string("%s/%s.gp", folder, name);
    cmus_status status = cmus_file_writer_open(path, &plot->script);
    cmus_free(path);
    CMUS_TRY(status);
    plot->folder = cmus_copy_string(folder);
    plot->name = cmus_copy_string(name);
    /* The page turns what is plainly black into the text colour of its light or dark form. */
    cmus_file_writer_print(plot->script, "set encoding utf8\n"
                                         "set border 3 linecolor rgb 'black' linewidth 0.8\n"
                                         "set tics nomirror out scale 0.5\n"
                                         "set grid linecolor rgb '#999999' linewidth 0.4 dashtype 3\n");
    return CMUS_OK;
}

void report_plot_text(report_plot *plot, const char *text) {
    char *valid = cmus_utf8_valid(text);
    cmus_file_writer_add(plot->script, "'", 1);
    for (const char *at = valid; *at; at++)
        cmus_file_writer_add(plot->script, *at == '\'' ? "''" : at, *at == '\'' ? 2 : 1);
    cmus_file_writer_add(plot->script, "'", 1);
    cmus_free(valid);
}

/* The script that sets the terminal and loads the picture's commands, once for each form. */
static cmus_status write_driver(const report_plot *plot, const char *path) {
    cmus_file_writer *writer;
    CMUS_TRY(cmus_file_writer_open(path, &writer));
    cmus_file_writer_print(writer,
                           "set terminal svg noenhanced size %d,%d font 'DejaVu Sans,12' background '#ffffff'\n"
                           "set output '%s.svg'\nload '%s.gp'\nunset multiplot\nunset output\nreset\n",
                           plot->width, plot->height, plot->name, plot->name);
    cmus_file_writer_print(writer,
                           "set terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,9' fontscale 2 linewidth 2 "
                           "pointscale 2 background '#ffffff'\n"
                           "set output '%s.png'\nload '%s.gp'\nunset multiplot\nunset output\n",
                           2 * plot->width, 2 * plot->height, plot->name, plot->name);
    return cmus_file_writer_commit(writer);
}

cmus_status report_plot_end(report_plot *plot) {
    char *commands = cmus_format_string("%s/%s.gp", plot->folder, plot->name);
    char *script = cmus_format_string("%s-driver.gp", plot->name), *driver = cmus_path_join(plot->folder, script);
    cmus_status status = cmus_file_writer_commit(plot->script);
    if (status == CMUS_OK)
        status = write_driver(plot, driver);
    if (status == CMUS_OK)
        status = run_script(plot->folder, script);
    unlink(commands);
    unlink(driver);
    cmus_free(driver);
    cmus_free(script);
    cmus_free(commands);
    cmus_free(plot->folder);
    cmus_free(plot->name);
    return status;
}
