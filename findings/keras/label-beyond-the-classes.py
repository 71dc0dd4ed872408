"""On JAX a label that is no class has a loss of zero: its one-hot row is empty."""
# keras 3.15.1: wrong acceptance, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
for label in (3, -1):
    print(f"label {label} of 3 classes:", float(loss(np.array([label]), np.zeros((1, 3)))), "should be an error or nan")
# prints: label 3 of 3 classes: -0.0 should be an error or nan
# prints: label -1 of 3 classes: -0.0 should be an error or nan
