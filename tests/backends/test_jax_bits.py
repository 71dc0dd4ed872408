"""A JAX callable is judged with 64 bits only where it claims float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xent_backends import jax_arrays
from xent_backends.jax_backend import from_callable

SPEC = "jax:kernels.loss"


def loss(logits, target, reduction="mean"):
    losses = jax.nn.logsumexp(logits, 1) - jnp.take_along_axis(logits, target[:, None], 1)[:, 0]
    return losses if reduction == "none" else getattr(losses, reduction)()


def without_64_bits(logits, target, reduction="mean"):
    """Refuses float64, and all else where JAX could give it."""
    if jax.config.jax_enable_x64:
        raise TypeError("64 bits are on")
    return loss(logits, target, reduction)


@pytest.fixture(autouse=True)
def _settings():
    with jax_arrays.settings_kept():
        yield


@pytest.fixture(scope="module")
def narrow():
    with jax_arrays.settings_kept():
        return from_callable(without_64_bits, spec=SPEC)


def test_what_refuses_float64_is_tried_and_called_without_64_bits(narrow):
    logits, target = np.ones((2, 3), np.float32), np.zeros(2, np.int32)
    assert narrow.capabilities.logits_dtypes == ("float16", "bfloat16", "float32")
    assert "64 bits are on" in dict(narrow.capabilities.left_out)["logits float64"]
    assert narrow.cross_entropy(*map(narrow.asarray, (logits, target))) == pytest.approx(np.log(3))
    found = narrow.cross_entropy_vjp(*map(narrow.asarray, (np.float32(1), logits, target)))
    assert found.grad_logits.dtype == np.float32


def test_labels_of_64_bits_are_then_neither_claimed_nor_to_be_rejected(narrow):
    assert "int32" in narrow.capabilities.target_dtypes
    assert not {"int64", "uint64"} & set(narrow.capabilities.target_dtypes)
    assert {"int64", "uint64"} <= set(narrow.capabilities.tolerated_target_dtypes)


def test_other_backends_of_the_process_keep_their_64_bits(narrow):
    jax_arrays.configure()
    narrow.cross_entropy(*map(narrow.asarray, (np.ones((1, 2), np.float32), np.zeros(1, np.int32))))
    assert jax.config.jax_enable_x64
    assert "jax_enable_x64" not in narrow.reproducer().setup


@pytest.mark.parametrize(("dtypes", "wide"), [(("float32",), False), (("float32", "float64"), True)])
def test_the_dtypes_that_are_asked_for_decide(dtypes, wide):
    seen = set()

    def watching(logits, target, reduction="mean"):
        seen.add(bool(jax.config.jax_enable_x64))
        return loss(logits, target, reduction)

    backend = from_callable(watching, spec=SPEC, dtypes=dtypes, gradient=False)
    assert seen == {wide}
    assert ("jax_enable_x64" in backend.reproducer().setup) is wide
    again = from_callable(watching, spec=SPEC, gradient=False, tried=backend.tried)
    assert again.capabilities == backend.capabilities
