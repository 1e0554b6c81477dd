# Tests of src/predict.
add_executable(case_source_compare case_source_compare.c) # for tests/cli/predict_source.sh
target_link_libraries(case_source_compare PRIVATE cmus_predict)
cmus_unit_test(test_explain cmus_predict unit_twins)
set_tests_properties(unit/test_explain PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
cmus_unit_test(test_case_source cmus_predict cmus_packing)
target_sources(test_case_source PRIVATE scratch_dataset.c)
target_link_libraries(test_case_source PRIVATE OpenMP::OpenMP_C)
target_include_directories(test_case_source PRIVATE ${CMAKE_SOURCE_DIR}/src/predict)
cmus_unit_test(test_case_picture cmus_predict)
target_sources(test_case_picture PRIVATE drawn_case.c)
target_include_directories(test_case_picture PRIVATE ${CMAKE_SOURCE_DIR}/src/predict)
