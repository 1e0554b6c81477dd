cmus_unit_test(test_core cmus_core)
cmus_unit_test(test_profile cmus_core)
