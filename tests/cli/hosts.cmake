# Needs root and network namespaces; alone, as a link's rate is timed.
add_test(NAME cli/hosts COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/hosts.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/hosts PROPERTIES LABELS full RUN_SERIAL ON SKIP_RETURN_CODE 77 TIMEOUT 600)
