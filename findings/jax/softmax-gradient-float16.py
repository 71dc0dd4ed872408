"""The derivative of ``softmax`` divides by the square of the sum of exponentials, which overflows float16 from 256 on."""
# jax 0.10.2: wrong gradient, first seen 2026-11-28

import jax
import jax.numpy as jnp

logits = jnp.zeros(256, jnp.float16)
probabilities, pull = jax.vjp(jax.nn.softmax, logits)
(gradient,) = pull(jnp.ones_like(probabilities))
print("gradient of the sum of all probabilities:", gradient[0], "should be 0")
# prints: gradient of the sum of all probabilities: 0.003906 should be 0
