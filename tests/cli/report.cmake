add_test(NAME cli/report COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_refusals COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_refusals.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_compare COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_compare.sh ${CMAKE_BINARY_DIR})
