# Tests of src/weights.
cmus_unit_test(test_number_types cmus_weight_files)
target_include_directories(test_number_types PRIVATE ${CMAKE_SOURCE_DIR}/src/weights)
