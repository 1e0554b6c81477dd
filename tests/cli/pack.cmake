# pack_NAME.sh BUILD
foreach(part cases checks data identity show ranks continue split)
  add_test(NAME cli/pack_${part} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/pack_${part}.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(cli/pack_${part} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
set_tests_properties(cli/pack_ranks cli/pack_continue PROPERTIES PROCESSORS 2)
add_test(NAME cli/pack COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/pack.sh ${CMAKE_BINARY_DIR})
add_test(NAME cli/pack_real COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/pack_real.sh ${CMAKE_BINARY_DIR}
  ${CMAKE_SOURCE_DIR}/../shared/data/real_cases ${CMAKE_SOURCE_DIR}/../shared/data/odd_images)
set_tests_properties(cli/pack cli/pack_real PROPERTIES SKIP_RETURN_CODE 77)
