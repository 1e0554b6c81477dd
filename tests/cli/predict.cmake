# Tests of src/predict.
add_test(NAME cli/predict_source COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/predict_source.sh ${CMAKE_BINARY_DIR}
  $<TARGET_FILE:case_source_compare> ${CMAKE_SOURCE_DIR}/../shared/data/real_cases)
set_tests_properties(cli/predict_source PROPERTIES SKIP_RETURN_CODE 77)
