"""A loss object converts labels to its own dtype: in bfloat16 the label 257 is 256, in float16 2049 is 2048."""
# keras 3.15.1: wrong number, first seen 2026-11-28

import os

os.environ["KERAS_BACKEND"] = "numpy"
import keras
import numpy as np

for dtype, label in (("bfloat16", 257), ("float16", 2049)):
    logits = np.zeros((1, 3000), "float32")
    logits[0, label] = 32
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
    print(f"{dtype}, label {label}:", float(loss(np.array([label]), logits)), "should be 0.0")
# prints: bfloat16, label 257: 32.0 should be 0.0
# prints: float16, label 2049: 32.0 should be 0.0
