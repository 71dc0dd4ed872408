"""Loss and gradients of a fused linear map compared with the exact ones, products of the gradient of the logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import Factors, linear, linear_backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.oracle.arithmetic import LONGDOUBLE, WIDE_ENOUGH, RealArray
from xent_conformance.problem import F64Array
from xent_conformance.requirements.agreement import effect_of

#: Sums that are smaller than this share of the sum of their magnitudes are computed with more digits.
CANCELLED = 2.0**-20


def exact_enough(trial: Trial) -> bool:
    """Whether products of the exact gradient can be added without an error that matters."""
    return trial.problem.dtype != "float64" or np.finfo(np.longdouble).nmant >= WIDE_ENOUGH


def loss_beside_exact(trial: Trial, factors: Factors, bounds: Bounds | None = None) -> Finding:
    """The loss of a linear map compared with the exact one, that of ``bounds``, by default the bounds of the trial."""
    bounds = trial.bounds if bounds is None else bounds
    loss, call = trial.linear_loss(factors), linear(factors, trial.problem)
    return trial.compare("loss", loss, bounds.answer.loss, bounds.loss, overflows=bounds.overflows, call=call)


def gradients_beside_exact(
    trial: Trial, factors: Factors, got: Mapping[str, F64Array], bounds: Bounds | None = None
) -> Iterator[Finding]:
    """The gradients that a call with a linear map returned, by name, each compared with the exact one.

    The exact ones are those for the logits of ``bounds``, by default the bounds of the trial.
    """
    call = linear_backward(factors, trial.problem)
    products = _shared_products(trial, factors) if bounds is None else _products(bounds, factors)
    for name, product in products.items():
        effect = effect_of(product.exact.value)
        yield trial.compare(name, got[name], product.exact, product.bound, effect=effect, call=call)


def exact_grad_hidden(trial: Trial, factors: Factors) -> tuple[Exact, F64Array]:
    """The exact gradient of the hidden states and its bound, both (rows, features)."""
    product = _shared_products(trial, factors)["grad_hidden"]
    return product.exact, product.bound


class _Product:
    """The exact gradient G of the logits (N, C) times an exact matrix, from either side, with its bound.

        |error| <= tol(G) |M| + (h + 1) u |G| |M| + u_o |G M| + eta

    for h additions of relative error u: over the classes u_a, over the batch u_r, as of every other sum (NUMERICS).
    """

    def __init__(self, bounds: Bounds, right: npt.NDArray[np.generic], *, over_rows: bool) -> None:
        model, exact = bounds.model, bounds.answer.grad_logits
        gradient = LONGDOUBLE.array(exact.value) + exact.residual
        tolerance: F64Array = bounds.grad_logits
        if over_rows:
            gradient, tolerance = gradient.T, tolerance.T
        plain = right.astype(np.float64)
        size, factor = np.abs(np.asarray(gradient, dtype=np.float64)), np.abs(plain)
        terms, u = gradient.shape[1], model.u_r if over_rows else model.u_a
        relative = terms * u / (1 - terms * u) + model.u_o if terms * u < 1 else np.inf
        sums = size @ factor
        self.exact = Exact(*LONGDOUBLE.split(_product(gradient, plain, sums, exact=bounds.problem.dtype == "float64")))
        rounding = relative * sums + model.u_o * np.abs(self.exact.value)
        self.bound = np.asarray(tolerance @ factor + rounding + model.eta * (1 + terms))


def _product(gradient: RealArray, right: F64Array, sums: F64Array, *, exact: bool) -> RealArray:
    """G M in longdouble, with ``sums`` |G| |M|; unless it must be ``exact``, only where terms cancel.

    The product in float64, by BLAS, takes a tenth of the time and is accurate enough for narrower gradients.
    """
    wide = LONGDOUBLE.array(right)
    if exact:
        return np.asarray(gradient @ wide)
    found = LONGDOUBLE.array(np.asarray(gradient, dtype=np.float64) @ right)
    columns = (np.abs(found) < CANCELLED * sums).any(axis=0)
    found[:, columns] = gradient @ wide[:, columns]
    return found


def _shared_products(trial: Trial, factors: Factors) -> dict[str, _Product]:
    """The exact gradients by name. In every memory layout of problem and factors they are the same."""
    key = "products", id(trial.bounds), factors.bias is not None
    if key not in trial.shared:
        trial.shared[key] = _products(trial.bounds, factors)
    products: dict[str, _Product] = trial.shared[key]
    return products


def _products(bounds: Bounds, factors: Factors) -> dict[str, _Product]:
    found = {
        "grad_hidden": _Product(bounds, factors.weight, over_rows=False),
        "grad_weight": _Product(bounds, factors.hidden, over_rows=True),
    }
    if factors.bias is not None:
        found["grad_bias"] = _Product(bounds, np.ones((bounds.problem.rows, 1)), over_rows=True)
    return found
