# Tests of src/predict.
