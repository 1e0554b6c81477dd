cmus_unit_test(test_core cmus_core)
