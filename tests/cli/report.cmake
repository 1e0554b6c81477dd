add_test(NAME cli/report COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_refusals COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_refusals.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_many COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_many.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/report_many PROPERTIES LABELS full RUN_SERIAL ON TIMEOUT 900)
