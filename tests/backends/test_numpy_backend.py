"""The NumPy implementation: values, gradients, conventions and refusals."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from xent_backends import numpy_cross_entropy as ce
from xent_backends.numpy_backend import backend
from xent_backends.numpy_labels import BLOCK
from xent_conformance.interface import (
    Backend,
    Described,
    Differentiable,
    LayerForm,
    Primitives,
    Reproducer,
    SecondOrder,
)

pytestmark = pytest.mark.filterwarnings("error")

#: Error of one rounding at the end, with room for the float64 arithmetic before it.
ROUNDING = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-44}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"label_smoothing": 0.25},
    {"weighted": True},
    {"weighted": True, "label_smoothing": 1.0},
]
INF, NAN = float("inf"), float("nan")


def one(dtype: Any = np.float64) -> Any:
    """A cotangent of one for a reduced loss."""
    return np.ones((), dtype)


@pytest.mark.parametrize(
    "protocol", [Backend, Differentiable, SecondOrder, Primitives, LayerForm, Described, Reproducer]
)
def test_backend_satisfies_every_protocol(protocol: type) -> None:
    """The numpy backend has every form but a bridge and a fused linear map."""
    assert isinstance(backend(), protocol)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
@pytest.mark.parametrize("dtype", list(ROUNDING))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_loss_and_gradient_are_the_closed_form_rounded_once(
    batch: Any, closed_form: Any, dtype: str, kind: str, reduction: str, options: dict[str, Any]
) -> None:
    """Loss and gradient of every dtype, kind of target, reduction and option are the closed form, rounded once."""
    logits, labels, probabilities, weight = batch
    number = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x, w = logits.astype(number), weight.astype(number)
    target = labels if kind == "indices" else probabilities.astype(number)
    given = {"reduction": reduction, "label_smoothing": options.get("label_smoothing", 0.0)}
    given |= {"weight": w} if options.get("weighted") else {}
    want = closed_form(x, target, **given)
    got = ce.cross_entropy_vjp(np.ones(want.loss.shape, number), x, target, **given)
    assert got.loss.dtype == got.grad_logits.dtype == number
    assert got.loss.shape == want.loss.shape
    np.testing.assert_allclose(got.loss.astype(float), want.loss, rtol=ROUNDING[dtype], atol=1e-14)
    # Entries of p S - Q cancel: their error is that of p, at most max(w) in these batches.
    np.testing.assert_allclose(got.grad_logits.astype(float), want.gradient, rtol=ROUNDING[dtype], atol=1e-7)
    np.testing.assert_array_equal(ce.cross_entropy(x, target, **given), got.loss)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("dtype", list(ROUNDING))
def test_rows_of_several_blocks_are_the_closed_form(closed_form: Any, dtype: str, reduction: str) -> None:
    """Rows that need three blocks, the last one shorter, have the loss and gradient of the closed form."""
    number, generator = np.dtype(getattr(ml_dtypes, dtype, dtype)), np.random.default_rng(3)
    rows, classes = 2 * (BLOCK // 900) + 5, 900
    x = generator.normal(0, 4, (rows, classes)).astype(number)
    labels = np.where(np.arange(rows) % 5 == 1, -100, generator.integers(0, classes, rows))
    weight = generator.uniform(0.5, 2, classes).astype(number)
    want = closed_form(x, labels, weight=weight, reduction=reduction)
    got = ce.cross_entropy_vjp(np.ones(want.loss.shape, number), x, labels, weight, reduction=reduction)
    np.testing.assert_allclose(got.loss.astype(float), want.loss, rtol=ROUNDING[dtype])
    # In float32 x - max is rounded, which an exponential takes as a relative error, and four units for exp and product.
    narrow = 0.0 if dtype == "float64" else float(np.ptp(x.astype(float))) * 2.0**-24 + 4 * 2.0**-23
    rtol, smallest = ROUNDING[dtype] + narrow, 2.0**-24 if dtype == "float16" else 1e-15
    np.testing.assert_allclose(got.grad_logits.astype(float), want.gradient, rtol=rtol, atol=smallest)
    np.testing.assert_array_equal(ce.cross_entropy(x, labels, weight, reduction=reduction), got.loss)


def test_spatial_and_unbatched_logits_are_rows(batch: Any) -> None:
    """(N, C, d) logits have the losses of the (N d, C) rows, and (C) logits that of one row."""
    logits, labels, _, weight = batch
    volume, positions = np.moveaxis(np.stack([logits, logits[::-1]]), 1, 2), np.stack([labels, labels[::-1]])
    flat = ce.cross_entropy(np.concatenate([logits, logits[::-1]]), positions.ravel(), weight, reduction="none")
    np.testing.assert_array_equal(ce.cross_entropy(volume, positions, weight, reduction="none").ravel(), flat)
    assert ce.cross_entropy(logits[0], np.array(labels[0]), reduction="none") == flat[0] / weight[0]


def test_small_losses_of_confident_rows_are_kept() -> None:
    """A gap of 60 costs exp(-60), although 1 + exp(-60) is 1."""
    loss = ce.cross_entropy(np.array([[60.0, 0.0]]), np.array([0]))
    np.testing.assert_allclose(loss, np.exp(-60.0), rtol=1e-15)


def test_probability_target_gradient_is_the_weighted_surprise(batch: Any) -> None:
    """The gradient of target q_ij is (1 - eps) w_j (-log p_ij) / N for the mean."""
    logits, _, probabilities, weight = batch
    got = ce.cross_entropy_vjp(one(), logits, probabilities, weight, label_smoothing=0.25).grad_target
    assert got is not None
    np.testing.assert_allclose(got, -0.75 * weight * ce.log_softmax(logits) / 5, rtol=1e-14)


def test_hessian_vector_product_is_the_slope_of_the_gradient(batch: Any) -> None:
    """The product is the central difference of the gradient along the vector, to the order of its step squared."""
    logits, labels, _, weight = batch
    vector, step = logits[::-1] / 4, 1e-5
    ends = [ce.cross_entropy_vjp(one(), logits + s * vector, labels, weight).grad_logits for s in (step, -step)]
    got = ce.cross_entropy_hvp(vector, one(), logits, labels, weight)
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / (2 * step), atol=1e-9)


def test_layer_and_function_are_the_same(batch: Any) -> None:
    """The layer gives bitwise the function's loss and gradient."""
    logits, labels, _, weight = batch
    adapter, options = backend(), {"weight": weight, "ignore_index": 3, "reduction": "sum"}
    labels = np.where(labels < 0, 3, labels)
    got = adapter.cross_entropy_layer_vjp(one(), logits, labels, **options)
    want = adapter.cross_entropy_vjp(one(), logits, labels, **options)
    np.testing.assert_array_equal(got.grad_logits, want.grad_logits)
    assert adapter.cross_entropy_layer(logits, labels, **options) == want.loss


@pytest.mark.parametrize("content", [NAN, INF, -INF, 1e308])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.5])
def test_content_of_ignored_rows_does_not_matter(content: float, label_smoothing: float) -> None:
    """An ignored row of nan or infinities changes no loss and has a gradient of exactly zero."""
    x = np.array([[1.0, 2.0, 3.0], [content, content, 0.0]])
    got = ce.cross_entropy_vjp(one(), x, np.array([0, -100]), label_smoothing=label_smoothing)
    want = ce.cross_entropy(x[:1], np.array([0]), label_smoothing=label_smoothing)
    assert got.loss == want
    np.testing.assert_array_equal(got.grad_logits[1], np.zeros(3))
    product = ce.cross_entropy_hvp(np.ones((2, 3)), one(), x, np.array([0, -100]))
    np.testing.assert_array_equal(product[1], np.zeros(3))


@pytest.mark.parametrize(
    ("labels", "weight", "gradient"),
    [([-100, -100], None, 0.0), ([0, 0], [0.0, 1.0], NAN), ([0, 1], [1.0, -1.0], NAN)],
    ids=["all ignored", "zero weights", "weights cancel"],
)
def test_mean_over_nothing_is_nan(labels: list[int], weight: list[float] | None, gradient: float) -> None:
    """A mean with a divisor of zero is nan; its gradient is zero on ignored rows and nan elsewhere."""
    w = None if weight is None else np.array(weight)
    got = ce.cross_entropy_vjp(one(), np.zeros((2, 2)), np.array(labels), w)
    assert np.isnan(got.loss)
    np.testing.assert_array_equal(got.grad_logits, np.full((2, 2), gradient))


@pytest.mark.parametrize("target", [np.zeros(0, np.int64), np.zeros((0, 3))], ids=["indices", "probabilities"])
def test_empty_batch_has_no_mean_and_a_sum_of_zero(target: Any) -> None:
    """Of no rows the mean is nan, the sum is 0, and there are no losses."""
    x = np.zeros((0, 3))
    assert np.isnan(ce.cross_entropy(x, target))
    assert ce.cross_entropy(x, target, reduction="sum") == 0
    assert ce.cross_entropy(x, target, reduction="none").shape == (0,)


def test_zero_times_infinity_is_nan_inside_the_sum_only() -> None:
    """A zero coefficient on a logit of -inf is nan where the class is in the sum, and nothing where it is not."""
    x, label = np.array([[0.0, -INF, 1.0]]), np.array([0])
    assert np.isfinite(ce.cross_entropy(x, label))
    assert ce.cross_entropy(x, label, label_smoothing=0.1) == INF
    assert np.isnan(ce.cross_entropy(x, label, np.array([1.0, 0.0, 1.0]), label_smoothing=0.1))
    assert np.isnan(ce.cross_entropy(x, np.array([[0.5, 0.0, 0.5]])))


def test_overflow_of_a_finite_gap_is_infinite_or_nothing() -> None:
    """A gap past the largest float64 costs inf where it counts, and 0 with a weight or probability of 0."""
    x = np.array([[1.7e308, -1.7e308]])
    assert ce.cross_entropy(x, np.array([1])) == INF
    assert ce.cross_entropy(x, np.array([1]), np.array([1.0, 0.0]), reduction="sum") == 0
    assert ce.cross_entropy(x, np.array([[1.0, 0.0]])) == 0


def test_a_sentinel_outside_the_label_dtype_does_not_alias() -> None:
    """-1 is not uint8 255, and 200 is not int8 -56."""
    x = np.zeros((2, 256))
    assert ce.cross_entropy(x, np.array([0, 255], np.uint8), ignore_index=-1, reduction="none")[1] > 0
    with pytest.raises(IndexError, match="-56"):
        ce.cross_entropy(x, np.array([0, -56], np.int8), ignore_index=200)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("label", [-1, 3, 2**31, 2**40, -(2**63)])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)], ids=str)
def test_label_out_of_range_is_an_index_error(label: int, reduction: str, shape: tuple[int, ...]) -> None:
    """A label outside [0, C) is refused in every reduction and rank, by its value."""
    rows = shape[:-1] if len(shape) == 1 else (shape[0], *shape[2:])
    with pytest.raises(IndexError, match=str(label)):
        ce.cross_entropy(np.zeros(shape), np.full(rows, label), reduction=reduction)


X, Y = np.zeros((2, 3), np.float32), np.array([0, 1])
REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ("integer logits", (X.astype(np.int32), Y), {}, TypeError, "int32"),
    ("bool logits", (X.astype(bool), Y), {}, TypeError, "bool"),
    ("complex logits", (X.astype(np.complex64), Y), {}, TypeError, "complex64"),
    ("scalar logits", (np.float32(1).reshape(()), Y[0]), {}, ValueError, "scalar"),
    ("no classes", (X[:, :0], Y), {}, ValueError, "class"),
    ("float labels", (X, Y.astype(np.float32)), {}, ValueError, "float32"),
    ("bool labels", (X, Y.astype(bool)), {}, TypeError, "bool"),
    ("uint16 labels", (X, Y.astype(np.uint16)), {}, TypeError, "uint16"),
    ("one-hot labels", (X, np.eye(3, dtype=int)[Y]), {}, ValueError, r"\(2,\)"),
    ("column of labels", (X, Y[:, None]), {}, ValueError, r"\(2, 1\)"),
    ("too few labels", (X, Y[:1]), {}, ValueError, r"\(1,\)"),
    ("batched label of one row", (X[0], Y[:1]), {}, ValueError, r"\(1,\)"),
    ("short weight", (X, Y, np.ones(2, np.float32)), {}, ValueError, r"\(3,\)"),
    ("complex weight", (X, Y, np.ones(3, np.complex64)), {}, TypeError, "complex64"),
    ("unknown reduction", (X, Y), {"reduction": "average"}, ValueError, "average"),
    ("negative smoothing", (X, Y), {"label_smoothing": -0.1}, ValueError, "-0.1"),
    ("smoothing above one", (X, Y), {"label_smoothing": 1.5}, ValueError, "1.5"),
    ("nan smoothing", (X, Y), {"label_smoothing": NAN}, ValueError, "nan"),
    ("bool smoothing", (X, Y), {"label_smoothing": True}, TypeError, "True"),
    ("float sentinel", (X, Y), {"ignore_index": 1.0}, TypeError, "1.0"),
    ("huge sentinel", (X, Y), {"ignore_index": 2**70}, ValueError, "64 bits"),
    ("sentinel for probabilities", (X, X), {"ignore_index": 1}, ValueError, "probability"),
]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_call_without_an_answer_is_refused_by_name(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A call with no answer raises, and the message names the dtype, shape or value that is wrong."""
    with pytest.raises(error, match=message):
        ce.cross_entropy(*arguments, **options)


def test_inputs_stay_as_they_are(batch: Any) -> None:
    """No input is written to, whatever its strides; read-only and broadcast arrays are fine."""
    logits, labels, _, weight = batch
    arrays = (np.broadcast_to(logits[::-1, ::2], (5, 4)), labels, np.ascontiguousarray(weight[::2]))
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.flags.writeable = False
    x, y, w = arrays
    ce.cross_entropy_vjp(one(), x, np.minimum(y, 3), w, ignore_index=-100, label_smoothing=0.1)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_nll_of_log_softmax_is_cross_entropy(batch: Any) -> None:
    """The primitives compose to the loss in every reduction."""
    logits, labels, _, weight = batch
    for reduction in ("none", "sum", "mean"):
        got = ce.nll_loss(ce.log_softmax(logits), labels, weight, reduction=reduction)
        np.testing.assert_allclose(got, ce.cross_entropy(logits, labels, weight, reduction=reduction), rtol=1e-14)
    np.testing.assert_allclose(ce.softmax(logits).sum(axis=1), 1, rtol=1e-15)
