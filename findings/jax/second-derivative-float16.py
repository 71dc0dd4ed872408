"""The derivative of ``log_softmax`` sums over the classes in float16: with many of them its own derivative is nan."""
# jax 0.10.2: wrong gradient, first seen 2026-11-23

import jax
import jax.numpy as jnp

x = jnp.zeros(1024, jnp.float16)


def loss(x):
    return -jax.nn.log_softmax(x).sum()


product = jax.jvp(jax.grad(loss), (x,), (jnp.ones_like(x),))[1]
print("second derivative:", product[0], "should be 0")
# prints: second derivative: nan should be 0
