foreach(name train train_kill train_errors)
  add_test(NAME cli/${name} COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/${name}.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(cli/${name} PROPERTIES PROCESSORS 2)
endforeach()
