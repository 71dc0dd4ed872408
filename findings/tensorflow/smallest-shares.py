"""The softmax of float32 logits is 0 from a gap of 125 * ln 2 on, where its normal numbers end at 126 * ln 2."""
# tensorflow 2.21.0: lost accuracy, first seen 2026-11-29

import tensorflow as tf

share = tf.nn.softmax(tf.constant([[0.0, 86.9]]))[0, 0]
alone = tf.exp(tf.constant(-86.9))
print("softmax:", float(share), "should be as exp is, in a row whose sum is 1:", f"{float(alone):.2e}")
# prints: softmax: 0.0 should be as exp is, in a row whose sum is 1: 1.82e-38
