/* Energy from a folder like Linux's powercap. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmus/energy.h"
#include "cmus/file.h"
#include "cmus/memory.h"
#include "unit.h"

static const char FOLDER[] = "energy_scratch";

static void put(const char *zone, const char *file, const char *text) {
    char *folder = cmus_path_join(FOLDER, zone), *path = cmus_path_join(folder, file);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(folder), CMUS_OK);
    CU_ASSERT_EQUAL_FATAL(cmus_file_write(path, text, strlen(text)), CMUS_OK);
    cmus_free(path);
    cmus_free(folder);
}

static void put_zone(const char *zone, const char *name, const char *energy) {
    put(zone, "name", name);
    put(zone, "max_energy_range_uj", "1000000000\n");
    put(zone, "energy_uj", energy);
}

static void make_machine(void) {
    cmus_folder_remove(FOLDER);
    CU_ASSERT_EQUAL_FATAL(cmus_folder_make(FOLDER), CMUS_OK);
    put("intel-rapl", "enabled", "1\n");
    put_zone("intel-rapl:0", "package-0\n", "1000000\n");
    put_zone("intel-rapl:0:0", "core\n", "0\n");
    put_zone("intel-rapl:0:1", "dram\n", "999000000\n");
    put_zone("intel-rapl:1", "package-1\n", "0\n");
    put_zone("intel-rapl:2", "psys\n", "0\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", "0\n");
}

static void packages_and_memory_are_summed(void) {
    make_machine();
    cmus_energy *energy = cmus_energy_start(FOLDER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(energy);
    CU_ASSERT_EQUAL(cmus_energy_joules(energy), 0);
    put("intel-rapl:0", "energy_uj", "3500000\n");   /* 2.5 J */
    put("intel-rapl:0:0", "energy_uj", "9000000\n"); /* a part of the package */
    put("intel-rapl:0:1", "energy_uj", "4000000\n"); /* began again at 1000 J: 5 J */
    put("intel-rapl:1", "energy_uj", "10000000\n");  /* 10 J */
    put("intel-rapl:2", "energy_uj", "9000000\n");
    put("intel-rapl-mmio:0", "energy_uj", "9000000\n");
    CU_ASSERT_DOUBLE_EQUAL(cmus_energy_joules(energy), 17.5, 1e-9);
    put("intel-rapl:1", "energy_uj", "11000000\n");
    CU_ASSERT_DOUBLE_EQUAL(cmus_energy_joules(energy), 18.5, 1e-9);
    put("intel-rapl:1", "energy_uj", "");
    CU_ASSERT(isnan(cmus_energy_joules(energy)));
    cmus_energy_stop(energy);
}

static void unknown_is_unknown(void) {
    cmus_folder_remove(FOLDER);
    CU_ASSERT_PTR_NULL(cmus_energy_start(FOLDER));
    make_machine();
    put("intel-rapl:1", "energy_uj", ""); /* as one that may not be read */
    CU_ASSERT_PTR_NULL(cmus_energy_start(FOLDER));
    CU_ASSERT(isnan(cmus_energy_joules(NULL)));
    cmus_energy_stop(NULL);
}

int main(void) {
    static const unit_test tests[] = {{"packages and memory are summed", packages_and_memory_are_summed},
                                      {"unknown is unknown", unknown_is_unknown}};
    return unit_main("energy", tests, sizeof tests / sizeof tests[0]);
}
