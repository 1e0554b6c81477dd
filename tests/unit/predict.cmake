# Tests of src/predict.
add_executable(case_source_compare case_source_compare.c) # for tests/cli/predict_source.sh
target_link_libraries(case_source_compare PRIVATE cmus_predict)
cmus_unit_test(test_explain cmus_predict unit_twins)
set_tests_properties(unit/test_explain PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
foreach(name test_case_source test_case_source_data)
  cmus_unit_test(${name} cmus_predict cmus_packing)
  target_sources(${name} PRIVATE scratch_cases.c scratch_dataset.c)
  target_link_libraries(${name} PRIVATE OpenMP::OpenMP_C)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/predict)
endforeach()
cmus_unit_test(test_case_picture cmus_predict)
target_sources(test_case_picture PRIVATE drawn_case.c)
target_include_directories(test_case_picture PRIVATE ${CMAKE_SOURCE_DIR}/src/predict)
