add_test(NAME cli/report COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_refusals COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_refusals.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/report_tsne COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/report_tsne.sh ${CMAKE_BINARY_DIR})
