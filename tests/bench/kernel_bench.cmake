# Speed of single kernels; not a test.
add_executable(kernel_bench ${CMAKE_CURRENT_LIST_DIR}/kernel_bench.c)
target_link_libraries(kernel_bench PRIVATE cmus_math)
