# Tests of cmus-predict.
add_test(NAME cli/predict COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/predict.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/predict PROPERTIES PROCESSORS 2)
