cmus_unit_test(test_core cmus_core)
cmus_unit_test(test_profile cmus_core)
cmus_unit_test(test_trace cmus_core PkgConfig::JANSSON Threads::Threads)
