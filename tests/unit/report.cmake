cmus_unit_test(test_report_metrics cmus_metrics PkgConfig::JANSSON)
target_compile_definitions(test_report_metrics PRIVATE
  METRICS_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden/metrics.json")
cmus_unit_test(test_report_bootstrap cmus_metrics)
cmus_unit_test(test_report_text cmus_metrics PkgConfig::JANSSON)
target_sources(test_report_text PRIVATE
  ${CMAKE_SOURCE_DIR}/results/report/report_text.c ${CMAKE_SOURCE_DIR}/results/report/html_picture.c)
cmus_unit_test(test_report_cases cmus_metrics PkgConfig::JANSSON)
target_sources(test_report_cases PRIVATE
  ${CMAKE_SOURCE_DIR}/results/report/cases.c
  ${CMAKE_SOURCE_DIR}/results/report/config_text.c ${CMAKE_SOURCE_DIR}/results/report/data_summary.c
  ${CMAKE_SOURCE_DIR}/results/report/run_facts.c ${CMAKE_SOURCE_DIR}/results/report/report_predictions.c)
cmus_unit_test(test_tsne cmus_metrics PkgConfig::JANSSON OpenMP::OpenMP_C)
target_compile_definitions(test_tsne PRIVATE TSNE_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden/tsne.json")
set_tests_properties(unit/test_tsne PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
cmus_unit_test(test_report_tests_paired cmus_metrics PkgConfig::JANSSON)
target_compile_definitions(test_report_tests_paired PRIVATE
  COMPARISON_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden/comparison.json")
cmus_unit_test(test_report_curves cmus_metrics PkgConfig::JANSSON)
target_compile_definitions(test_report_curves PRIVATE CURVES_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden/curves.json")
