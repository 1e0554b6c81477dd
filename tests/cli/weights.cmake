# Tests of src/weights.
foreach(name weights weights_roundtrip)
  add_test(NAME cli/${name} COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/${name}.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(cli/${name} PROPERTIES PROCESSORS 2 SKIP_RETURN_CODE 77)
endforeach()
