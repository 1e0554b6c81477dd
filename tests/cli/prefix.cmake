add_test(NAME cli/prefix COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/prefix.sh ${CMAKE_BINARY_DIR})
