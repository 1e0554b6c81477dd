add_test(NAME cli/prefix COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/prefix.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/unpack COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/unpack.sh)
set_tests_properties(cli/unpack PROPERTIES SKIP_RETURN_CODE 77)
