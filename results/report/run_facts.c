#include "report/run_facts.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cmus/file.h"
#include "cmus/memory.h"

/* Seconds since 1970, or NaN. */
static double seconds_of(const char *text) {
    struct tm parts = {0};
    const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts) : NULL;
    return end && !*end ? (double)timegm(&parts) : NAN;
}

double report_hours_between(const char *started, const char *ended) {
    double seconds = seconds_of(ended) - seconds_of(started);
    return seconds >= 0 ? seconds / 3600 : NAN; /* a clock may have been set back */
}

char *report_hours_text(double hours) {
    if (hours * 3600 < 59.5)
        return cmus_format_string("%.0f s", hours * 3600);
    return hours * 60 < 59.5 ? cmus_format_string("%.0f min", hours * 60) : cmus_format_string("%.2f h", hours);
}

const char *report_run_text(const report_evaluation *evaluation, const char *key) {
    return json_string_value(json_object_get(evaluation->used[0]->information, key));
}

static void add_host(report_run_facts *facts, const char *name) {
    for (size_t i = 0; i < facts->host_count; i++)
        if (strcmp(facts->hosts[i], name) == 0)
            return;
    size_t at = 0;
    while (at < facts->host_count && cmus_compare_natural(facts->hosts[at], name) < 0)
        at++;
    size_t capacity = facts->host_count;
    facts->hosts = cmus_grow(facts->hosts, &capacity, facts->host_count + 1, sizeof(char *));
    memmove(facts->hosts + at + 1, facts->hosts + at, (facts->host_count - at) * sizeof(char *));
    facts->hosts[at] = cmus_copy_string(name);
    facts->host_count++;
}

static void add_fold(report_run_facts *facts, const json_t *information, bool first) {
    double hours = report_hours_between(json_string_value(json_object_get(information, "started")),
                                        json_string_value(json_object_get(information, "ended")));
    long ranks = (long)json_integer_value(json_object_get(information, "ranks"));
    long threads = (long)json_integer_value(json_object_get(information, "threads"));
    const json_t *energy = json_object_get(information, "energy_joules"), *host;
    size_t i;
    facts->hours += hours;
    facts->core_hours += ranks && threads ? hours * (double)ranks * (double)threads : NAN;
    facts->fewest_hours = first || hours < facts->fewest_hours ? hours : facts->fewest_hours;
    facts->most_hours = first || hours > facts->most_hours ? hours : facts->most_hours;
    facts->kilowatt_hours += json_is_number(energy) ? json_number_value(energy) / 3.6e6 : NAN;
    facts->ranks = first || ranks == facts->ranks ? ranks : 0;
    facts->threads = first || threads == facts->threads ? threads : 0;
    json_array_foreach(json_object_get(information, "hosts"), i, host) if (json_is_string(host))
        add_host(facts, json_string_value(host));
}

void report_run_facts_read(const report_evaluation *evaluation, report_run_facts *facts) {
    *facts = (report_run_facts){0};
    for (size_t i = 0; i < evaluation->folds; i++)
        add_fold(facts, evaluation->used[i]->information, i == 0);
}

void report_run_facts_free(report_run_facts *facts) {
    cmus_names_free(facts->hosts, facts->host_count);
    *facts = (report_run_facts){0};
}
