# Tests of src/predict.
add_executable(case_source_compare case_source_compare.c) # for tests/cli/predict_source.sh
target_link_libraries(case_source_compare PRIVATE cmus_predict)
cmus_unit_test(test_explain cmus_predict unit_twins)
set_tests_properties(unit/test_explain PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
