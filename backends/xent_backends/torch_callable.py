"""Any loss on torch tensors as a backend: values, gradients by autograd, second derivatives by double backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from xent_backends import torch_calls, torch_linear, torch_modes, torch_state, triton_interpreter
from xent_backends.source_text import joined, one_line, plain_source
from xent_backends.torch_arrays import numpy_of, tensor_of
from xent_conformance.interface import Backend, Capabilities, ReproducerParts, Vjp

#: The first lines of a script in plain torch.
SETUP = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F"


@dataclass(frozen=True)
class TorchArrays:
    """A function on torch tensors.

    Attributes:
        name: The backend's name.
        capabilities: What it claims.
        device: The device that it computes on.
        function: The function.
        setup: Lines at the beginning of a script that calls it.
        expression: The expression for it in that script.
        tried: The result of the trial of a callable (see ``callables``).
        libraries: Names of the distributions that it belongs to, if that is not torch.
        interpreted: Whether it launches kernels under Triton's interpreter.
    """

    name: str
    capabilities: Capabilities
    device: str
    function: torch_calls.Loss
    setup: str
    expression: str
    tried: bytes | None = None
    libraries: tuple[str, ...] = ()
    interpreted: bool = False
    linear_vjp = staticmethod(torch_linear.linear_vjp)
    pullback = staticmethod(torch_calls.pullback)

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries and of torch; on a GPU also CUDA's and the name of the device."""
        versions = {name: version(name) for name in self.libraries} | {"torch": str(torch.__version__)}
        if self.device != "cpu":
            versions |= {"cuda": str(torch.version.cuda), "gpu": torch.cuda.get_device_name()}
        return versions

    def asarray(self, array: npt.NDArray[np.generic]) -> Tensor:
        """A tensor with the array's values and, unless one is negative, its strides."""
        return tensor_of(array, self.device)

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array of the tensor's dtype and strides; TypeError for anything but a tensor."""
        return numpy_of(array)

    def settings(self) -> AbstractContextManager[object]:
        """A context manager for a call: kernels under Triton's interpreter are launched one at a time."""
        return triton_interpreter.ONE_AT_A_TIME if self.interpreted else nullcontext()

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """The function under ``vmap``, under autocast, and compiled."""
        return torch_modes.modes(self)

    def surroundings(self) -> Mapping[str, object]:
        """The global settings of torch."""
        return torch_state.surroundings()

    def reproducer(self) -> ReproducerParts:
        """A script in plain torch, printed from the functions that this adapter calls."""
        array = "torch.as_tensor({array}).to(" + f"{self.device!r}, " * (self.device != "cpu") + "torch.{dtype})"
        return ReproducerParts(self.setup, array, "{value}.detach().cpu().to(torch.float64).numpy()", self._calls())

    def _calls(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class TorchCallable(TorchArrays):
    """A loss on torch tensors: values only."""

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Loss through the function form."""
        with self.settings():
            return self.function(logits, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "logits, target, **options"
        return {"cross_entropy": one_line("cross_entropy", parameters, f"{self.expression}({parameters})")}


@dataclass(frozen=True)
class TorchDifferentiable(TorchCallable):
    """A loss on torch tensors with gradients by autograd."""

    def cross_entropy_vjp(
        self,
        cotangent: Tensor,
        logits: Tensor,
        target: Tensor,
        *,
        repeats: int = 1,
        upstream: Literal["leaf", "scaled", "interleaved", "shared"] = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients by one backward, or several on one graph."""
        call = torch_calls.vjp
        with self.settings():
            return Vjp(*call(self.function, cotangent, logits, target, repeats=repeats, upstream=upstream, **options))

    def _calls(self) -> dict[str, str]:
        parameters = "cotangent, logits, target, **options"
        call = one_line("cross_entropy_vjp", parameters, f"vjp({self.expression}, {parameters})")
        return super()._calls() | {"cross_entropy_vjp": joined(plain_source(torch_calls.vjp), call)}


@dataclass(frozen=True)
class TorchTwiceDifferentiable(TorchDifferentiable):
    """A loss on torch tensors whose backward can be differentiated in turn."""

    def cross_entropy_hvp(
        self, vector: Tensor, cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any
    ) -> Tensor:
        """Second derivative times a vector, by double backward."""
        with self.settings():
            return torch_calls.hvp(self.function, vector, cotangent, logits, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "vector, cotangent, logits, target, **options"
        call = one_line("cross_entropy_hvp", parameters, f"hvp({self.expression}, {parameters})")
        return super()._calls() | {"cross_entropy_hvp": joined(plain_source(torch_calls.hvp), call)}


def library_loss(
    name: str,
    function: torch_calls.Loss,
    capabilities: Capabilities,
    *,
    libraries: tuple[str, ...] = (),
    setup: str = "",
    twice: bool = True,
    interpreted: bool = False,
) -> TorchDifferentiable:
    """A backend for a library's loss on torch tensors, on one thread of the CPU.

    Args:
        name: The backend's name.
        function: Calls the library. Its source is part of scripts.
        capabilities: What it claims.
        libraries: Names of the distributions, the one under test first.
        setup: The imports that the source of ``function`` needs.
        twice: Whether second derivatives are claimed.
        interpreted: Whether it launches kernels under Triton's interpreter.
    """
    torch.set_num_threads(1)
    kind = TorchTwiceDifferentiable if twice else TorchDifferentiable
    source = "\n".join(filter(None, (SETUP, setup, f"\n\n{plain_source(function)}")))
    script = source, function.__name__
    return kind(name, capabilities, "cpu", function, *script, libraries=libraries, interpreted=interpreted)
