# Tests of src/weights.
cmus_unit_test(test_pth cmus_pth PkgConfig::ZIP)
target_compile_definitions(test_pth PRIVATE PTH_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden/pth")
cmus_unit_test(test_number_types cmus_weight_files)
target_include_directories(test_number_types PRIVATE ${CMAKE_SOURCE_DIR}/src/weights)
cmus_unit_test(test_weight_plan cmus_weight_files)
target_include_directories(test_weight_plan PRIVATE ${CMAKE_SOURCE_DIR}/src/weights)
