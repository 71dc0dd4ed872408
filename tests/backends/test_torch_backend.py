"""The torch adapter: the bridge, the forms of the loss, and how backward is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'xent-conformance[torch]'")

from xent_backends import torch_backend, torch_calls  # noqa: E402 - importorskip comes first
from xent_conformance.interface import (  # noqa: E402
    ArrayBridge,
    Backend,
    BackendUnavailableError,
    Described,
    Differentiable,
    LayerForm,
    Primitives,
    Reproducer,
    SecondOrder,
)

pytestmark = pytest.mark.filterwarnings("error")

DTYPES = ("float16", "bfloat16", "float32", "float64", "int64", "uint8", "bool", "complex64", "float8_e4m3fn")
VIEWS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.T,
    "stepped": lambda a: a[::2, 1:6:2],
    "broadcast": lambda a: np.broadcast_to(a[1], (4, 6)),
    "scalar": lambda a: a[1, 2].reshape(()),
}


@pytest.fixture(scope="module")
def torch_cpu() -> torch_backend.TorchBackend:
    """The registered backend."""
    return torch_backend.backend()


def of_dtype(name: str) -> npt.NDArray[Any]:
    """Twenty-four different numbers of a dtype, (4, 6)."""
    return np.arange(24).reshape(4, 6).astype(getattr(ml_dtypes, name, name))


@pytest.mark.parametrize(
    "protocol",
    [Backend, Differentiable, SecondOrder, Primitives, LayerForm, ArrayBridge, Described, Reproducer],
)
def test_backend_satisfies_every_protocol(torch_cpu: Any, protocol: type) -> None:
    """The torch backend has every form but a fused linear map."""
    assert isinstance(torch_cpu, protocol)


@pytest.mark.parametrize("mode", ["vmap", "autocast"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_in_other_modes_are_the_closed_form(
    torch_cpu: Any, batch: Any, closed_form: Any, kind: str, mode: str
) -> None:
    """Under vmap and autocast the function is the same one."""
    logits, labels, probabilities, weight = (array.astype(np.float32) for array in batch)
    target = probabilities if kind == "probabilities" else labels.astype(np.int64)
    options = {} if kind == "probabilities" else {"ignore_index": int(labels.min())}
    want = closed_form(logits, target, weight=weight, **options)
    called = torch_cpu.modes()[mode]()
    arrays = [called.asarray(a) for a in (np.float32(1)[()], logits, target)]
    got = called.cross_entropy_vjp(*arrays, weight=called.asarray(weight), **options)
    np.testing.assert_allclose(called.asnumpy(got.loss), want.loss, rtol=1e-6)
    np.testing.assert_allclose(called.asnumpy(got.grad_logits), want.gradient, atol=1e-6)


def test_float64_is_not_claimed_under_autocast_which_may_convert_it(torch_cpu: Any) -> None:
    """The other dtypes are, and under vmap all."""
    vmap, autocast = (torch_cpu.modes()[name]().capabilities.logits_dtypes for name in ("vmap", "autocast"))
    assert (vmap, autocast) == (torch_cpu.capabilities.logits_dtypes, ("float16", "bfloat16", "float32"))


@pytest.mark.parametrize("view", list(VIEWS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_bridge_keeps_values_dtype_and_strides(torch_cpu: Any, dtype: str, view: str) -> None:
    """An array comes back from torch with its values, dtype and strides, read-only ones without a warning."""
    array = VIEWS[view](of_dtype(dtype))
    tensor = torch_cpu.asarray(array)
    back = torch_cpu.asnumpy(tensor)
    assert str(tensor.dtype) == f"torch.{dtype}"
    assert (back.dtype, back.strides) == (array.dtype, array.strides)
    np.testing.assert_array_equal(back.astype(complex), array.astype(complex))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_bridge_copies_what_torch_cannot_represent(torch_cpu: Any, dtype: str) -> None:
    """Negative strides and foreign byte order cross as contiguous copies."""
    array = of_dtype(dtype)[::-1, ::-2]
    np.testing.assert_array_equal(torch_cpu.asnumpy(torch_cpu.asarray(array)).astype(float), array.astype(float))
    swapped = of_dtype("float32").astype(">f4")
    np.testing.assert_array_equal(torch_cpu.asnumpy(torch_cpu.asarray(swapped)), swapped)


@pytest.mark.parametrize("value", [1.0, [1.0], np.zeros(2), None])
def test_only_a_tensor_comes_back(torch_cpu: Any, value: Any) -> None:
    """Anything but a tensor is a TypeError that names its type."""
    with pytest.raises(TypeError, match=type(value).__name__):
        torch_cpu.asnumpy(value)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_are_the_closed_form(
    torch_cpu: Any, batch: Any, closed_form: Any, kind: str, reduction: str
) -> None:
    """In float64, with weights and smoothing, loss and gradient are the closed form."""
    logits, labels, probabilities, weight = batch
    target = labels if kind == "indices" else probabilities
    want = closed_form(logits, target, weight=weight, reduction=reduction, label_smoothing=0.25)
    x, y, w, g = (torch_cpu.asarray(a) for a in (logits, target, weight, np.ones(want.loss.shape)))
    options = {"weight": w, "reduction": reduction, "label_smoothing": 0.25}
    got = torch_cpu.cross_entropy_vjp(g, x, y, **options)
    np.testing.assert_allclose(torch_cpu.asnumpy(got.loss), want.loss, rtol=1e-13)
    np.testing.assert_allclose(torch_cpu.asnumpy(got.grad_logits), want.gradient, atol=1e-14)
    assert torch.equal(torch_cpu.cross_entropy(x, y, **options), got.loss)
    assert (got.grad_target is None) == (kind == "indices")
    layer = torch_cpu.cross_entropy_layer_vjp(g, x, y, **options)
    assert torch.equal(layer.grad_logits, got.grad_logits)
    assert torch.equal(torch_cpu.cross_entropy_layer(x, y, **options), got.loss)


@pytest.mark.parametrize(
    "mode", [{"repeats": 2}, {"upstream": "scaled"}, {"repeats": 2, "upstream": "scaled"}], ids=str
)
def test_backward_twice_or_through_a_product_gives_the_same_gradient(torch_cpu: Any, mode: dict[str, Any]) -> None:
    """A second backward, and logits that are no leaf, give bitwise the gradient of the first on a leaf."""
    x, y = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 5, 2, 2])
    plain = torch_cpu.cross_entropy_vjp(torch.tensor(3.0), x, y)
    got = torch_cpu.cross_entropy_vjp(torch.tensor(3.0), x, y, **mode)
    assert torch.equal(got.grad_logits, plain.grad_logits)
    assert torch.equal(got.loss, plain.loss)
    assert not x.requires_grad


def test_hessian_vector_product_is_the_slope_of_the_gradient(torch_cpu: Any, batch: Any) -> None:
    """The product is the central difference of the gradient along the vector, to the order of its step squared."""
    x, y = torch_cpu.asarray(batch[0]), torch_cpu.asarray(batch[1])
    vector, one, step = x.flip(0) / 4, torch.ones((), dtype=torch.float64), 1e-5
    ends = [torch_cpu.cross_entropy_vjp(one, x + s * vector, y).grad_logits for s in (step, -step)]
    got = torch_cpu.cross_entropy_hvp(vector, one, x, y)
    torch.testing.assert_close(got, (ends[0] - ends[1]) / (2 * step), rtol=0, atol=1e-9)


def test_primitives_take_the_class_axis(torch_cpu: Any) -> None:
    """Softmax and log-softmax run over axis 1, or axis 0 of unbatched logits."""
    for shape, axis in (((2, 3, 4), 1), ((3,), 0)):
        x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(torch_cpu.softmax(x).sum(axis), torch.ones(()).double().expand(x.sum(axis).shape))
        torch.testing.assert_close(torch_cpu.log_softmax(x).exp(), torch_cpu.softmax(x))


def test_second_derivatives_are_claimed_only_where_backward_is_differentiable() -> None:
    """A kernel whose backward cannot be differentiated is a backend without second derivatives."""

    class Fused(torch.autograd.Function):  # type: ignore[name-defined,misc]
        @staticmethod
        def forward(ctx: Any, logits: Any, target: Any) -> Any:
            ctx.save_for_backward(torch.softmax(logits, 1) - torch.eye(logits.shape[1], dtype=logits.dtype)[target])
            return torch.nn.functional.cross_entropy(logits, target)

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            (gradient,) = ctx.saved_tensors
            return cotangent * gradient / len(gradient), None

    def fused(logits: Any, target: Any) -> Any:
        return Fused.apply(logits, target)

    got = torch_backend.from_callable(fused, spec="torch:kernels.fused")
    assert isinstance(got, Differentiable)
    assert not isinstance(got, SecondOrder)
    assert got.capabilities.reductions == ("mean",)
    assert dict(got.capabilities.left_out)["second derivatives"].startswith("it raised RuntimeError: ")
    plain = torch_backend.from_callable(torch_calls.layer, spec="torch:kernels.plain")
    assert isinstance(plain, SecondOrder)
    values = torch_backend.from_callable(fused, spec="torch:kernels.fused", gradient=False)
    assert not isinstance(values, Differentiable)


def test_missing_device_is_said_at_once() -> None:
    """Without a CUDA device the CUDA backend says that it is unavailable."""
    if torch.cuda.is_available():
        assert torch_backend.cuda_backend().device == "cuda"
        return
    with pytest.raises(BackendUnavailableError, match="CUDA"):
        torch_backend.cuda_backend()


class Subclass(torch.Tensor):
    """A tensor that might mean something else than its numbers."""


@pytest.mark.parametrize(
    "made",
    [
        lambda: torch.zeros(2).as_subclass(Subclass),
        lambda: torch.nn.Parameter(torch.zeros(2)),
        lambda: torch.eye(2).to_sparse(),
        lambda: np.zeros(2),
    ],
    ids=["subclass", "parameter", "sparse", "not-a-tensor"],
)
def test_only_a_dense_plain_tensor_crosses_the_border(torch_cpu: torch_backend.TorchBackend, made: Any) -> None:
    """A class of its own or another layout would be lost on the way, and is a TypeError."""
    with pytest.raises(TypeError, match="expected a"):
        torch_cpu.asnumpy(made())
