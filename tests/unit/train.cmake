cmus_unit_test(test_config cmus_train)
cmus_unit_test(test_training cmus_train)
cmus_unit_test(test_prefetch cmus_train cmus_packing)
cmus_unit_test(test_safetensors cmus_train PkgConfig::JANSSON)
cmus_unit_test(test_checkpoint cmus_train)
cmus_unit_test(test_stage_folder cmus_train)
target_include_directories(test_stage_folder PRIVATE ${CMAKE_SOURCE_DIR}/src/train)

# The same program under several numbers of ranks.
add_executable(test_dist test_dist.c)
target_link_libraries(test_dist PRIVATE cmus_dist PkgConfig::CUNIT)
foreach(ranks 1 2 4)
  add_test(NAME unit/test_dist_${ranks}_ranks
    COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe --bind-to none $<TARGET_FILE:test_dist>)
  set_tests_properties(unit/test_dist_${ranks}_ranks PROPERTIES PROCESSORS 2
    ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
endforeach()

add_executable(test_shared_memory test_shared_memory.c)
target_link_libraries(test_shared_memory PRIVATE cmus_dist PkgConfig::CUNIT)
foreach(ranks 1 2 4)
  add_test(NAME unit/test_shared_memory_${ranks}_ranks
    COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe --bind-to none
      $<TARGET_FILE:test_shared_memory>)
  set_tests_properties(unit/test_shared_memory_${ranks}_ranks PROPERTIES PROCESSORS 2
    ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
endforeach()
