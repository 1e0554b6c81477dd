# Tests of cmus-predict.
add_test(NAME cli/predict COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/predict.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/predict PROPERTIES PROCESSORS 2)
# Tests of src/predict.
add_test(NAME cli/predict_source COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/predict_source.sh ${CMAKE_BINARY_DIR}
  $<TARGET_FILE:case_source_compare> ${CMAKE_SOURCE_DIR}/../shared/data/real_cases)
set_tests_properties(cli/predict_source PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME cli/predict_pages COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/predict_pages.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/predict_pages PROPERTIES SKIP_RETURN_CODE 77)
