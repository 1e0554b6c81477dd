/* The frame of a CUnit program: a table of named tests, run in order; exit code 1 if one fails. */
#ifndef CMUS_UNIT_H
#define CMUS_UNIT_H

#include <CUnit/Basic.h>
#include <stdlib.h>

typedef struct unit_test {
    const char *name;
    void (*run)(void);
} unit_test;

static inline int unit_main(const char *suite_name, const unit_test *tests, size_t count) {
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; suite && i < count; i++)
        if (!CU_add_test(suite, tests[i].name, tests[i].run))
            suite = NULL;
    if (!suite)
        return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures(), ran = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    return failed || ran != count;
}

#endif
