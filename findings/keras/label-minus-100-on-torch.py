"""On torch the label -100 is ignored although no ``ignore_class`` is given: it is the default of F.cross_entropy."""
# keras 3.15.1: wrong acceptance, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
x = np.array([[0.0, 1.0]])
print("label -100:", float(loss(np.array([-100]), x)[0]), "should be an error")
try:
    print("label -99:", float(loss(np.array([-99]), x)[0]))
except IndexError as error:
    print("label -99:", error)
# prints: label -100: 0.0 should be an error
# prints: label -99: Target -99 is out of bounds.
