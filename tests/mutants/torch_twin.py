"""A correct fused cross-entropy on torch: one autograd function with a backward of its own, cut into small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mutants.numpy_checks import Checks
from xent_conformance.interface import Capabilities, Precision, Vjp

torch.set_num_threads(1)

LABEL_DTYPES = ("int64", "int32", "uint8")


@dataclass(frozen=True)
class Options:
    """The options of one call at their values."""

    weight: Tensor | None = None
    ignore_index: int = -100
    reduction: str = "mean"
    label_smoothing: float = 0.0


class TorchTwin(Checks):
    """Every form of the interface, on float32 or float64 tensors."""

    device = "cpu"

    def __init__(self, name: str = "torch-twin", dtypes: tuple[str, ...] = ("float32", "float64")) -> None:
        self.name = name
        self.capabilities = Capabilities(
            logits_dtypes=dtypes,
            target_dtypes=LABEL_DTYPES,
            probability_targets=True,
            weight=True,
            ignore_index=True,
            default_ignore_index=-100,
            label_smoothing=True,
            unbatched=True,
            spatial=True,
            precision=Precision(),
        )

    def asarray(self, array: np.ndarray) -> Tensor:
        if any(stride < 0 for stride in array.strides):
            array = array.copy()
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(np.asarray(array))

    def asnumpy(self, array: Any) -> np.ndarray:
        if not isinstance(array, Tensor):
            raise TypeError(f"expected a tensor, got {type(array).__name__}")
        array = array.detach()
        if array.dtype == torch.bfloat16:
            import ml_dtypes

            return array.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return array.numpy()

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        found = Options(**options)
        self.check(logits, target, found)
        return Fused.apply(logits, target, self, found)

    def cross_entropy_vjp(
        self, cotangent: Tensor, logits: Tensor, target: Tensor, *, repeats: int = 1, upstream: str = "leaf", **options
    ) -> Vjp:
        scale = 2 if upstream == "scaled" else 1
        leaf = (logits / scale if scale > 1 else logits).detach().requires_grad_()
        inputs = [leaf]
        if target.is_floating_point():
            target = target.detach().requires_grad_()
            inputs.append(target)
        x = leaf * scale if scale > 1 else leaf
        loss = self.cross_entropy(x, target, **options)
        other = None
        if upstream in ("interleaved", "shared"):
            same = target.detach()[:1].expand_as(target).contiguous() if target.ndim else target
            other = self.cross_entropy(x if upstream == "shared" else (-logits).requires_grad_(), same, **options)
        for given in [cotangent / -2, cotangent] if repeats > 1 else [cotangent]:
            gradients = torch.autograd.grad(loss, inputs, given, retain_graph=repeats > 1, allow_unused=True)
        del other  # its graph was alive too
        return Vjp(loss.detach(), gradients[0] / scale, gradients[1] if len(inputs) > 1 else None)

    def cross_entropy_hvp(self, vector: Tensor, cotangent: Tensor, logits: Tensor, target: Tensor, **options) -> Tensor:
        x = logits.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.cross_entropy(x, target, **options), x, cotangent, create_graph=True)
        return torch.autograd.grad(gradient, x, vector)[0]

    def cross_entropy_layer(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        return self.cross_entropy(logits, target, **options)

    def cross_entropy_layer_vjp(self, cotangent: Tensor, logits: Tensor, target: Tensor, **options: Any) -> Vjp:
        return self.cross_entropy_vjp(cotangent, logits, target, **options)

    def softmax(self, logits: Tensor) -> Tensor:
        self.check_logits(self.asnumpy(logits))
        return functional.softmax(logits, dim=min(1, logits.ndim - 1))

    def log_softmax(self, logits: Tensor) -> Tensor:
        self.check_logits(self.asnumpy(logits))
        return functional.log_softmax(logits, dim=min(1, logits.ndim - 1))

    def nll_loss(self, log_probs: Tensor, target: Tensor, **options: Any) -> Tensor:
        found = Options(**options)
        self.check(log_probs, target, found)
        losses = self.row_losses(self.by_row(log_probs), log_probs, target, found)
        return self.reduced(losses, log_probs, target, found)

    def check(self, logits: Tensor, target: Tensor, options: Options) -> None:
        """Raise for a call that has no answer."""
        x, t = self.asnumpy(logits), self.asnumpy(target)
        self.check_logits(x)
        self.check_target(t, x)
        if not target.is_floating_point() and t.dtype.name not in LABEL_DTYPES:
            raise TypeError(f"class indices must be one of {', '.join(LABEL_DTYPES)}, got {t.dtype.name}")
        self.check_weight(None if options.weight is None else self.asnumpy(options.weight), x)
        self.check_reduction(options.reduction)
        self.check_smoothing(options.label_smoothing)
        if not target.is_floating_point():
            classes, labels = x.shape[min(1, x.ndim - 1)], t.astype(np.int64)
            if (((labels < 0) | (labels >= classes)) & (labels != options.ignore_index)).any():
                raise IndexError(f"a label is outside [0, {classes})")

    # Steps, all on rows (R, C).

    def by_row(self, array: Tensor) -> Tensor:
        moved = array.movedim(min(1, array.ndim - 1), -1)
        return moved.reshape(moved.shape[:-1].numel(), moved.shape[-1])

    def placed(self, rows: Tensor, logits: Tensor) -> Tensor:
        axis = min(1, logits.ndim - 1)
        return rows.reshape(logits.movedim(axis, -1).shape).movedim(-1, axis)

    def kept(self, target: Tensor, options: Options) -> Tensor:
        """Which rows are not ignored, (R, 1); a tensor of one for probabilities."""
        if target.is_floating_point():
            return torch.ones(1, 1, dtype=torch.bool)
        return target.reshape(-1, 1).long() != options.ignore_index

    def hot(self, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        """The target as a distribution, zero on ignored rows."""
        if target.is_floating_point():
            return self.by_row(target.detach())
        classes = torch.arange(logits.shape[min(1, logits.ndim - 1)])
        return ((target.reshape(-1, 1).long() == classes) & self.kept(target, options)).to(logits.dtype)

    def shares(self, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        shares, eps = self.hot(logits, target, options), options.label_smoothing
        if eps:
            shares = (1 - eps) * shares + eps / shares.shape[1]
        if options.weight is not None:
            shares = shares * options.weight
        return torch.where(self.kept(target, options), shares, 0)

    def row_losses(self, log_probs: Tensor, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        shares = self.shares(logits, target, options)
        counted = self.kept(target, options).expand(shares.shape)
        if not target.is_floating_point() and not options.label_smoothing:
            counted = self.hot(logits, target, options) != 0
        overflowed = (shares == 0) & log_probs.isinf() & self.by_row(logits).isfinite()
        return torch.where(counted & ~overflowed, shares * -log_probs, 0).sum(1)

    def divisor(self, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        if target.is_floating_point():
            total = torch.tensor(float(self.by_row(target).shape[0]), dtype=logits.dtype)
        else:
            hot = self.hot(logits, target, options)
            total = (hot if options.weight is None else hot * options.weight).sum()
        return torch.where(total == 0, torch.nan, total)

    def reduced(self, losses: Tensor, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        if options.reduction == "none":
            return losses.reshape(logits.movedim(min(1, logits.ndim - 1), -1).shape[:-1])
        return losses.sum() / self.divisor(logits, target, options) if options.reduction == "mean" else losses.sum()

    def forward(self, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        log_probs = functional.log_softmax(self.by_row(logits), dim=1)
        return self.reduced(self.row_losses(log_probs, logits, target, options), logits, target, options)

    def save(self, context: Any, logits: Tensor, target: Tensor, options: Options) -> None:
        context.save_for_backward(logits, target)

    def scale(self, upstream: Tensor, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        scale = upstream.reshape(-1, 1)
        if options.reduction == "mean":
            scale = scale / self.divisor(logits, target, options)
        return torch.where(self.kept(target, options), scale, 0)

    def row_gradient(self, logits: Tensor, target: Tensor, options: Options) -> Tensor:
        shares = self.shares(logits, target, options)
        x = torch.where(self.kept(target, options), self.by_row(logits), 0)  # 0 times nan is nan in double backward
        return functional.softmax(x, dim=1) * shares.sum(1, keepdim=True) - shares

    def backward(self, context: Any, upstream: Tensor, options: Options) -> tuple[Tensor, Tensor | None]:
        logits, target = context.saved_tensors
        scale = self.scale(upstream, logits, target, options)
        rows = scale * self.row_gradient(logits, target, options)
        if not context.needs_input_grad[1]:
            return self.placed(rows, logits), None
        slope = (1 - options.label_smoothing) * -functional.log_softmax(self.by_row(logits), dim=1)
        if options.weight is not None:
            slope = slope * options.weight
        return self.placed(rows, logits), self.placed(scale * slope, logits)


class Fused(torch.autograd.Function):
    """Calls the steps of a twin or mutant; backward can be differentiated where the steps can."""

    @staticmethod
    def forward(context: Any, logits: Tensor, target: Tensor, twin: TorchTwin, options: Options) -> Tensor:
        context.twin, context.options = twin, options
        twin.save(context, logits, target, options)
        return twin.forward(logits, target, options)

    @staticmethod
    def backward(context: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return (*context.twin.backward(context, upstream, context.options), None, None)
