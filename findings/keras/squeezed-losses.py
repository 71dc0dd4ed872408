"""The losses of labels (N, 1) for logits (N, C, 1) have shape (N,): they lose an axis that the labels have."""
# keras 3.15.1: wrong number, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none", axis=1)
for size in (2, 1):
    print((2, size), "labels:", tuple(loss(np.zeros((2, size), int), np.zeros((2, 3, size))).shape))
# prints: (2, 2) labels: (2, 2)
# prints: (2, 1) labels: (2,)
