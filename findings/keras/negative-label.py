"""On NumPy a negative label has a loss of zero: its one-hot row is empty."""
# keras 3.15.1: wrong acceptance, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print("loss of label -1:", float(loss(np.array([-1]), np.array([[0.0, 1.0]]))), "should be an error")
# prints: loss of label -1: 0.0 should be an error
