# Tests of src/math and src/model. Plain twins of the kernels; each program runs once a kernel family.
add_library(unit_twins STATIC twin_check.c twins_math.c twins_model.c)
target_include_directories(unit_twins PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} PRIVATE ${CMAKE_SOURCE_DIR}/tests/golden)
target_link_libraries(unit_twins PUBLIC cmus_model OpenMP::OpenMP_C m)

# Passive waiting: threads that spin between the many small loops starve each other where tests run side by side.
function(cmus_family_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE unit_twins PkgConfig::CUNIT)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/math ${CMAKE_SOURCE_DIR}/src/model)
  foreach(family generic avx2 avx512)
    add_test(NAME unit/${name}/${family} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set_tests_properties(unit/${name}/${family} PROPERTIES
      ENVIRONMENT "CMUS_KERNELS=${family};OMP_WAIT_POLICY=passive" SKIP_RETURN_CODE 77)
  endforeach()
endfunction()

cmus_unit_test(test_compare)
target_include_directories(test_compare PRIVATE ${CMAKE_SOURCE_DIR}/tests/golden)
foreach(name test_math_vector test_math_product test_math_layers test_math_window test_math_adam test_exact_sum test_model_swin test_model_net
    test_model_parts)
  cmus_family_test(${name})
endforeach()
foreach(name test_model_net test_model_parts)
  target_sources(${name} PRIVATE net_setup.c)
endforeach()
foreach(name test_model_parameters test_model_smil test_model_cross_attention test_model_heads)
  cmus_unit_test(${name} unit_twins) # no kernels of their own: the BLAS and plain loops
  set_tests_properties(unit/${name} PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
endforeach()
foreach(kind amx avx512)
  add_test(NAME unit/test_math_product/bfloat16-${kind} COMMAND test_math_product
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(unit/test_math_product/bfloat16-${kind} PROPERTIES
    ENVIRONMENT "CMUS_BFLOAT16=${kind};OMP_WAIT_POLICY=passive" SKIP_RETURN_CODE 77)
endforeach()
