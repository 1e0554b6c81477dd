# Tests of ranks: the same program under several numbers of them. Ranks that wait give their core away: other tests may
# run beside them.
function(cmus_ranks_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE cmus_dist PkgConfig::CUNIT)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/dist)
  foreach(ranks ${ARGN})
    add_test(NAME unit/${name}_${ranks}_ranks
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} --oversubscribe --bind-to none $<TARGET_FILE:${name}>)
    set_tests_properties(unit/${name}_${ranks}_ranks PROPERTIES PROCESSORS 2
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_mpi_yield_when_idle=1")
  endforeach()
endfunction()

cmus_ranks_test(test_dist 1 2 4)
cmus_ranks_test(test_watchdog 1 2 4)
cmus_ranks_test(test_launch 1 2 4)
cmus_ranks_test(test_reducer 1 2 3 4)
cmus_ranks_test(test_shared_memory 1 2 4)
cmus_ranks_test(test_optimizer 1 2 3 4)
target_link_libraries(test_optimizer PRIVATE cmus_train m)
target_include_directories(test_optimizer PRIVATE ${CMAKE_SOURCE_DIR}/src/train)
foreach(ranks 1 2 3 4) # Adam and the norm have loops of OpenMP: no more threads than ranks
  set_property(TEST unit/test_optimizer_${ranks}_ranks APPEND PROPERTY ENVIRONMENT OMP_NUM_THREADS=1)
endforeach()

# The job of tests/cli/watchdog.sh.
add_executable(watchdog_program watchdog_program.c)
target_link_libraries(watchdog_program PRIVATE cmus_dist Threads::Threads)
add_test(NAME cli/watchdog COMMAND bash ${CMAKE_SOURCE_DIR}/tests/cli/watchdog.sh ${CMAKE_BINARY_DIR})
set_tests_properties(cli/watchdog PROPERTIES PROCESSORS 2)
