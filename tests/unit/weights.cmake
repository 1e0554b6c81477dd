# Tests of src/weights.
