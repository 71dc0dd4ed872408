"""On NumPy ``axis=1`` is refused: labels must have the shape of the logits without their last axis."""
# keras 3.15.1: wrong refusal, first seen 2026-11-28
# upstream: https://github.com/keras-team/keras/issues/21097
# not listed: what is refused is not claimed

import os

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, axis=1)
try:
    print("loss:", float(loss(np.zeros((1, 3), int), np.zeros((1, 2, 3)))))
except ValueError as error:
    print(error)
# prints: Arguments `target` and `output` must have the same shape up until the last dimension: target.shape=(1, 3), output.shape=(1, 2, 3)
