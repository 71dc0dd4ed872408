"""The sum or mean of a batch without rows is an array of shape (0,) instead of a number."""
# keras 3.15.1: wrong number, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

for reduction in ("sum", "sum_over_batch_size"):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    print(reduction, np.shape(loss(np.zeros(0, int), np.zeros((0, 3)))), "should be ()")
# prints: sum (0,) should be ()
# prints: sum_over_batch_size (0,) should be ()
