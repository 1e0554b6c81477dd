add_test(NAME cli/jobs COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/jobs.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/jobs PROPERTIES PROCESSORS 2)
