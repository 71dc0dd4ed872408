"""``jax.nn.one_hot`` counts the classes in the dtype of the labels: from 257 classes on 8-bit labels are two classes."""
# jax 0.10.2: wrong number, first seen 2026-11-28

import jax
import jax.numpy as jnp

for dtype in ("int32", "uint8", "int8"):
    row = jax.nn.one_hot(jnp.asarray([3], dtype), 260)[0]
    print(dtype, jnp.nonzero(row)[0].tolist(), "should be [3]")
# prints: int32 [3] should be [3]
# prints: uint8 [3, 259] should be [3]
# prints: int8 [3, 259] should be [3]
