"""On NumPy a class that is masked with -inf makes the loss nan: its log-probability is multiplied by zero."""
# keras 3.15.1: wrong number, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print("loss:", float(loss(np.array([1]), np.array([[-np.inf, 0.0]]))), "should be 0.0")
# prints: loss: nan should be 0.0
