add_test(NAME cli/phantom COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/phantom.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/phantom_shortcut COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/phantom_shortcut.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/phantom_shortcut PROPERTIES SKIP_RETURN_CODE 77)
