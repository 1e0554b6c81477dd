add_test(NAME cli/report COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_refusals COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_refusals.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_page COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/report_page.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/report_page PROPERTIES SKIP_RETURN_CODE 77)
