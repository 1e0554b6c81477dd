# Tests of src/weights.
add_executable(encoder_features ${CMAKE_CURRENT_LIST_DIR}/encoder_features.c)
target_link_libraries(encoder_features PRIVATE cmus_weight_files)
set_target_properties(encoder_features PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_test(NAME cli/weights_names COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/weights_names.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/weights_names PROPERTIES SKIP_RETURN_CODE 77)
