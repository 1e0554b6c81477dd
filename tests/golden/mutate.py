#!/usr/bin/env python3
"""mutate.py FILE.h5 DATASET largest|norm|sum: changes one element of a golden file by 5 %.

largest: the largest element, of a digest the largest pick; norm: the first element of a digest; sum: its second, by 5 %
of the norm.
"""
import sys

import h5py
import numpy as np

path, name, what = sys.argv[1:]
with h5py.File(path, "r+") as file:
    data = file[name]
    values = np.array(data, dtype=np.float64)
    flat = values.reshape(-1)
    if what == "largest":
        first = 2 if "_digest/" in name else 0
        index = first + int(np.abs(flat[first:]).argmax())
        change = 0.05 * flat[index]
    else:
        index, change = ("norm", "sum").index(what), 0.05 * flat[0]
    if change == 0:
        sys.exit(f"{name}: the element is 0, so 5 % of it change nothing")
    flat[index] += change
    data[...] = values
