"""The softmax of a row with a nan is 0 for its other classes, except in float64; log_softmax is nan for all."""
# tensorflow 2.21.0: wrong number, first seen 2026-12-01

import tensorflow as tf

logits = tf.constant([[0.0, float("nan"), 1.0]])
print("softmax:", tf.nn.softmax(logits).numpy().tolist())
print("log_softmax:", tf.nn.log_softmax(logits).numpy().tolist())
# prints: softmax: [[0.0, nan, 0.0]]
# prints: log_softmax: [[nan, nan, nan]]
