# Tests of src/predict.
cmus_unit_test(test_explain cmus_predict unit_twins)
set_tests_properties(unit/test_explain PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
