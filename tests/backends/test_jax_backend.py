"""The JAX adapter: the composed loss compiled and eager, its checks, and how little it compiles."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="jax is not installed: pip install 'xent-conformance[jax]'")

from xent_backends import jax_backend, jax_callable, jax_cross_entropy, jax_modes  # noqa: E402 - importorskip comes first
from xent_conformance.interface import (  # noqa: E402
    ArrayBridge,
    Backend,
    BackendUnavailableError,
    Described,
    Differentiable,
    Primitives,
    Reproducer,
    SecondOrder,
)

INF, NAN = float("inf"), float("nan")


@pytest.fixture(scope="module")
def compiled() -> jax_backend.JaxBackend:
    """The registered backend."""
    return jax_backend.backend()


def one(like: Any) -> Any:
    """A cotangent of one."""
    return jax.numpy.ones((), like.dtype)


@pytest.mark.parametrize(
    "protocol", [Backend, Differentiable, SecondOrder, Primitives, ArrayBridge, Described, Reproducer]
)
def test_backend_satisfies_the_protocols(compiled: Any, protocol: type) -> None:
    """The jax backend has every form but a layer, which JAX does not have, and a fused linear map."""
    assert isinstance(compiled, protocol)


@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_are_the_closed_form(compiled: Any, batch: Any, closed_form: Any, kind: str) -> None:
    """In float64 loss and gradient are the closed form, in every reduction and with every option."""
    logits, labels, probabilities, weight = batch
    target = labels if kind == "indices" else probabilities
    x, y, w = (compiled.asarray(a) for a in (logits, target, weight))
    for reduction in ("none", "sum", "mean"):
        for options in ({}, {"label_smoothing": 0.25}, {"weight": weight}, {"weight": weight, "label_smoothing": 1.0}):
            want = closed_form(logits, target, reduction=reduction, **options)
            given = options | ({"weight": w} if "weight" in options else {})
            cotangent = compiled.asarray(np.ones(want.loss.shape))
            got = compiled.cross_entropy_vjp(cotangent, x, y, reduction=reduction, **given)
            np.testing.assert_allclose(compiled.asnumpy(got.loss), want.loss, rtol=1e-13)
            np.testing.assert_allclose(compiled.asnumpy(got.grad_logits), want.gradient, atol=1e-14)
            assert compiled.cross_entropy(x, y, reduction=reduction, **given).shape == want.loss.shape
            assert (got.grad_target is None) == (kind == "indices")


@pytest.mark.parametrize("mode", ["eager", "vmap"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_in_other_modes_are_the_closed_form(
    compiled: Any, batch: Any, closed_form: Any, kind: str, mode: str
) -> None:
    """Operation by operation, and under vmap."""
    logits, labels, probabilities, weight = batch
    target = probabilities if kind == "probabilities" else np.where(labels < 0, 0, labels)
    want = closed_form(logits, target, weight=weight, label_smoothing=0.1)
    called = compiled.modes()[mode]()
    got = called.cross_entropy_vjp(
        one(logits), *map(called.asarray, (logits, target)), weight=weight, label_smoothing=0.1
    )
    np.testing.assert_allclose(got.loss, want.loss, rtol=1e-12)
    np.testing.assert_allclose(got.grad_logits, want.gradient, atol=1e-13)


def test_a_callable_has_the_modes_of_its_framework() -> None:
    """Compiled and under vmap, or not compiled if it is a compiled function."""

    def loss(logits: Any, target: Any, reduction: str = "mean") -> Any:
        rows = -jax.numpy.take_along_axis(jax.nn.log_softmax(logits, 1), target[:, None], 1)[:, 0]
        return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()

    backend = jax_backend.from_callable(loss, spec="jax:loss", dtypes=("float64",))
    logits, target = backend.asarray(np.eye(3)), backend.asarray(np.arange(3))
    want = backend.cross_entropy_vjp(one(logits), logits, target, reduction="sum")
    modes = backend.modes()
    assert set(modes) == {"compiled", "vmap"}
    for made in modes.values():
        got = made().cross_entropy_vjp(one(logits), logits, target, reduction="sum")
        np.testing.assert_allclose(got.loss, want.loss, rtol=1e-12)
        np.testing.assert_allclose(got.grad_logits, want.grad_logits, atol=1e-13)
    (jitted, _) = jax_modes.modes(replace(backend, function=jax.jit(loss, static_argnames="reduction")))
    assert jitted == "eager"


def test_options_and_reductions_compile_nothing_new(compiled: Any) -> None:
    """One program serves every reduction and option of a shape: 12 calls compile once."""
    x, y = compiled.asarray(np.zeros((3, 11), np.float32)), compiled.asarray(np.zeros(3, np.int64))
    program: Any = jax_backend._compiled(jax_cross_entropy.losses_and_total)
    before = program._cache_size()
    for reduction in ("none", "sum", "mean"):
        for options in ({}, {"label_smoothing": 0.5}, {"ignore_index": 2}, {"weight": np.ones(11, np.float32)}):
            compiled.cross_entropy(x, y, reduction=reduction, **options)
    compiled.cross_entropy(x, compiled.asarray(np.zeros(3, np.int8)))
    assert program._cache_size() == before + 1


def test_eager_and_compiled_agree(compiled: Any) -> None:
    """The eager backend computes the same loss and gradient, and its scripts compile nothing."""
    eager = jax_backend.eager_backend()
    x, y = compiled.asarray(np.linspace(-3, 3, 6).reshape(2, 3)), compiled.asarray(np.array([0, -100]))
    np.testing.assert_allclose(eager.cross_entropy(x, y), compiled.cross_entropy(x, y), rtol=1e-15)
    first, second = [b.cross_entropy_vjp(one(x), x, y).grad_logits for b in (eager, compiled)]
    np.testing.assert_allclose(first, second, atol=1e-16)
    assert not any("jax.jit" in text for text in eager.reproducer().calls.values())
    assert "jax.jit" in compiled.reproducer().calls["cross_entropy_vjp"]


@pytest.mark.parametrize("content", [NAN, INF, -INF])
def test_content_of_ignored_rows_does_not_matter(compiled: Any, content: float) -> None:
    """An ignored row of nan or infinities changes no loss and has a gradient of exactly zero."""
    x = compiled.asarray(np.array([[1.0, 2.0, 3.0], [content, content, 0.0]]))
    y = compiled.asarray(np.array([0, -100]))
    got = compiled.cross_entropy_vjp(one(x), x, y, label_smoothing=0.5)
    assert np.isfinite(got.loss)
    np.testing.assert_array_equal(got.grad_logits[1], np.zeros(3))
    np.testing.assert_array_equal(compiled.cross_entropy_hvp(x, one(x), x, y)[1], np.zeros(3))


def test_mean_over_nothing_follows_the_convention(compiled: Any) -> None:
    """All ignored: loss nan, gradient 0; total weight 0: both nan."""
    x, w = compiled.asarray(np.zeros((2, 3))), compiled.asarray(np.array([0.0, 1.0, 1.0]))
    ignored = compiled.cross_entropy_vjp(one(x), x, compiled.asarray(np.array([-100, -100])))
    assert np.isnan(ignored.loss)
    np.testing.assert_array_equal(ignored.grad_logits, np.zeros((2, 3)))
    weightless = compiled.cross_entropy_vjp(one(x), x, compiled.asarray(np.array([0, 0])), weight=w)
    assert np.isnan(weightless.loss)
    assert np.isnan(weightless.grad_logits).all()


def test_infinite_logits_follow_the_convention(compiled: Any) -> None:
    """-inf off target costs nothing, smoothed inf, and nan where its weight or probability is zero."""
    x, y = compiled.asarray(np.array([[0.0, -INF, 1.0]])), compiled.asarray(np.array([0]))
    got = compiled.cross_entropy_vjp(one(x), x, y)
    assert np.isfinite(got.loss)
    assert np.isfinite(got.grad_logits).all()
    assert compiled.cross_entropy(x, y, label_smoothing=0.1) == INF
    weight = compiled.asarray(np.array([1.0, 0.0, 1.0]))
    assert np.isnan(compiled.cross_entropy(x, y, label_smoothing=0.1, weight=weight))
    assert np.isnan(compiled.cross_entropy(x, compiled.asarray(np.array([[0.5, 0.0, 0.5]]))))


@pytest.mark.parametrize(
    ("logits", "target", "options", "error", "message"),
    [
        (np.zeros((1, 3), np.int32), np.array([0]), {}, TypeError, "int32"),
        (np.zeros((1, 3)), np.array([True]), {}, TypeError, "bool"),
        (np.zeros((1, 3)), np.array([3]), {}, IndexError, "3"),
        (np.zeros((1, 3)), np.array([0]), {"label_smoothing": NAN}, ValueError, "nan"),
        (np.zeros((1, 3)), np.array([0]), {"reduction": "average"}, ValueError, "average"),
    ],
)
def test_the_adapter_refuses_what_jax_would_take(
    compiled: Any, logits: Any, target: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """JAX would compute something for each of these; the adapter raises, naming what is wrong."""
    with pytest.raises(error, match=message):
        compiled.cross_entropy(compiled.asarray(logits), compiled.asarray(target), **options)


def test_bridge_keeps_values_and_dtypes_apart_from_the_original(compiled: Any) -> None:
    """float64 stays float64, and writing to the NumPy array later does not reach the JAX array."""
    original = np.arange(6.0).reshape(2, 3)[::-1]
    array = compiled.asarray(original)
    original[...] = 0
    assert compiled.asnumpy(array).dtype == np.float64
    np.testing.assert_array_equal(compiled.asnumpy(array), [[3, 4, 5], [0, 1, 2]])
    with pytest.raises(TypeError, match="ndarray"):
        compiled.asnumpy(original)


def test_a_callable_is_differentiated_by_jax() -> None:
    """A bare callable gets gradients by jax.vjp, and second derivatives where those can be taken."""

    @partial(jax.jit, static_argnames="reduction")
    def loss(logits: Any, target: Any, reduction: str = "mean") -> Any:
        losses = -jax.numpy.take_along_axis(jax.nn.log_softmax(logits, axis=1), target[:, None], axis=1)[:, 0]
        return losses if reduction == "none" else getattr(losses, reduction)()

    got: Any = jax_backend.from_callable(loss, spec="jax:losses.loss", dtypes=("float64",))
    assert issubclass(type(got), SecondOrder)
    assert (got.capabilities.weight, got.capabilities.unbatched) == (False, False)
    x, y = got.asarray(np.zeros((1, 2))), got.asarray(np.array([0]))
    np.testing.assert_allclose(got.cross_entropy_vjp(one(x), x, y).grad_logits, np.array([[-0.5, 0.5]]))
    with pytest.raises(BackendUnavailableError, match="warp"):
        jax_backend.from_callable(loss, spec="jax:losses.loss", device="warp")


def test_one_hot_rows_of_narrow_labels_have_one_class() -> None:
    """``jax.nn.one_hot`` counts the classes in the dtype of the labels: in 8 bits class 256 is class 0 too."""
    shares = jax_callable.one_hot(jax.numpy.zeros((2, 260)), jax.numpy.array([0, 3], "int8"))
    assert np.asarray(shares).argmax(axis=1).tolist() == [0, 3]
    assert np.asarray(shares).sum(axis=1).tolist() == [1, 1]
