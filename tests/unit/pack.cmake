cmus_unit_test(test_image cmus_image)
cmus_unit_test(test_splits cmus_data)
cmus_unit_test(test_dataset cmus_packing)
