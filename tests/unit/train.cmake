cmus_unit_test(test_config cmus_train)
cmus_unit_test(test_training cmus_train)
cmus_unit_test(test_prefetch cmus_train cmus_packing)
cmus_unit_test(test_wave cmus_train cmus_packing)
cmus_unit_test(test_safetensors cmus_train PkgConfig::JANSSON)
cmus_unit_test(test_checkpoint cmus_train)

# The same program under several numbers of ranks.
function(cmus_ranks_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE cmus_dist PkgConfig::CUNIT m)
  foreach(ranks ${ARGN})
    add_test(NAME unit/${name}_${ranks}_ranks
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe --bind-to none $<TARGET_FILE:${name}>)
    set_tests_properties(unit/${name}_${ranks}_ranks PROPERTIES PROCESSORS 2
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
  endforeach()
endfunction()

cmus_ranks_test(test_dist 1 2 4)
cmus_ranks_test(test_reducer 1 2 3 4)
cmus_ranks_test(test_optimizer 1 2 3 4)
target_link_libraries(test_optimizer PRIVATE cmus_train)
foreach(ranks 1 2 3 4) # Adam and the norm have loops of OpenMP: no more threads than ranks
  set_property(TEST unit/test_optimizer_${ranks}_ranks APPEND PROPERTY ENVIRONMENT OMP_NUM_THREADS=1)
endforeach()
