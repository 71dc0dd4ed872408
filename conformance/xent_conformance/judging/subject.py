"""A subject: one backend judged for one dtype of logits, and what requirements need of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from xent_conformance.calling.calls import Caller, Executor
from xent_conformance.calling.compilations import Compilations
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.formats import HALVES, format_of
from xent_conformance.interface import Backend, Capabilities, Conventions
from xent_conformance.loading.description import Description, Origin, describe
from xent_conformance.precision import WEAKEST, Precision
from xent_conformance.problem import AnyArray, Problem


def labelled(problem: Problem, claims: Capabilities) -> Problem | None:
    """A problem with labels of a claimed dtype: int64, or else the widest; None if the labels do not fit in that.

    The suite draws labels as int64. A backend that takes only int32 is judged with int32.
    """
    claimed = claims.target_dtypes
    if problem.target.dtype != np.int64 or "int64" in claimed or not claimed:
        return problem
    labels = problem.target
    widest = max((np.dtype(name) for name in claimed), key=lambda dtype: (dtype.itemsize, dtype.kind == "i"))
    limits = np.iinfo(widest)
    if labels.size and not limits.min <= labels.min() <= labels.max() <= limits.max:
        return None
    return problem.with_(target=labels.astype(widest, order="K"))


def distributions(problem: Problem) -> Problem:
    """A problem whose rows of target probabilities are scaled to sum to 1; a row of zeros becomes one-hot.

    Used for backends whose convention leaves other targets undefined.
    """
    if not problem.has_probabilities or problem.target.shape != problem.logits.shape or not problem.target.size:
        return problem
    axis = problem.class_axis
    shares = problem.target.astype(np.float64)
    totals = shares.sum(axis=axis, keepdims=True)
    if np.abs(totals - 1).max() <= max(problem.format.unit_roundoff, format_of(problem.target).unit_roundoff):
        return problem
    largest = np.argmax(problem.logits.astype(np.float64), axis=axis)
    at_largest = np.expand_dims(largest, axis) == np.arange(problem.classes).reshape(
        (-1,) + (1,) * (shares.ndim - 1 - axis)
    )
    scaled = np.where(totals > 0, shares / np.where(totals > 0, totals, 1.0), at_largest)
    target = np.array(problem.target, order="K")
    target[...] = scaled.astype(target.dtype)
    return problem.with_(target=target)


@dataclass(frozen=True)
class Subject:
    """One backend and dtype that requirements are judged on; ``compilations`` if their number is limited."""

    description: Description
    executor: Executor
    dtype: str
    compilations: Compilations | None = field(default=None, compare=False)

    @classmethod
    def of(cls, backend: Backend, dtype: str, origin: Origin | None = None) -> Subject:
        """A backend object in this process; ``origin`` is needed to write scripts for its failures."""
        return cls(describe(backend, origin), LocalExecutor(backend), dtype)

    @property
    def name(self) -> str:
        """Name of the backend."""
        return self.description.name

    @property
    def capabilities(self) -> Capabilities:
        """What the backend claims."""
        return self.description.capabilities

    @property
    def conventions(self) -> Conventions:
        """The conventions that the backend declares."""
        return self.capabilities.conventions

    @property
    def device(self) -> str:
        """The device that the backend computes on."""
        return self.description.device

    @property
    def precision(self) -> Precision:
        """The precision that its results MUST meet: the declared one, or the loosest tier if none is declared."""
        return self.capabilities.precision_for(self.dtype) or WEAKEST

    @property
    def drawing(self) -> tuple[str, str]:
        """Equal for subjects that get the same problems: the dtype, and all claims that drawing depends on."""
        claims = {k: v for k, v in vars(self.capabilities).items() if k not in ("precision", "conventions")}
        return self.dtype, repr([*sorted(claims.items()), self.conventions.unnormalised_targets])

    def takes(self, problem: Problem) -> bool:
        """Whether the sizes, the smoothing and the class weights of a problem are within the claims, and it has one
        answer.

        No classes, and smoothing outside [0, 1], are invalid calls whatever is claimed, so they are taken.
        """
        claims, classes = self.capabilities, problem.classes
        if not self.takes_rows(problem.rows):
            return False
        if 0 < classes < claims.min_classes or not self.takes_classes(classes):
            return False
        if claims.max_label_smoothing < problem.label_smoothing <= 1:
            return False
        weight = None if claims.negative_weights else problem.weight
        if weight is not None and (weight.astype(np.float64) < 0).any():
            return False
        # Whether class weights are in the z-loss of a mean, and in what it is divided by, differs.
        weighted_mean = problem.weight is not None and problem.reduction == "mean" and problem.divisor is None
        return not (weighted_mean and problem.lse_square_scale)

    def takes_rows(self, rows: int) -> bool:
        """Whether so many rows are within the claims."""
        return rows == self.claimed_rows(rows)

    def takes_classes(self, classes: int) -> bool:
        """Whether so many classes are not more than are claimed."""
        return classes <= (self.capabilities.max_classes or classes)

    def claimed_rows(self, rows: int) -> int:
        """So many rows, or as many as are claimed if these are fewer."""
        return min(rows, self.capabilities.max_rows or rows)

    def within_claims(self, problem: Problem) -> Problem | None:
        """A drawn problem changed to be within this subject's claims; None if that is not possible."""
        if not self.takes(problem):
            return None
        defined = self.conventions.unnormalised_targets == "accepted"
        return labelled(problem if defined else distributions(problem), self.capabilities)

    def unclaimed(self, problem: Problem) -> set[str]:
        """The claims that a problem needs and that the backend does not make, by name."""
        axes = problem.logits.ndim
        needed = {
            "weight": problem.weight is not None,
            "label_smoothing": bool(problem.label_smoothing),
            "probability_targets": problem.has_probabilities,
            "ignore_index": problem.ignore_index is not None,
            "unbatched": axes == 1,
            "spatial": axes > 2,  # noqa: PLR2004 - (N, C)
            **dict.fromkeys(problem.extras, True),
        }
        missing = {claim for claim, used in needed.items() if used and not getattr(self.capabilities, claim)}
        return missing | self.unclaimed_dtypes(problem)

    def unclaimed_dtypes(self, problem: Problem) -> set[str]:
        """Of these, the claims about dtypes of class weights and target probabilities beside that of the logits."""
        mixed = problem.mixed_dtypes()
        return {claim for claim, dtype in mixed.items() if dtype not in getattr(self.capabilities, claim)}

    @property
    def compiles_freely(self) -> bool:
        """Whether each new shape costs a compilation, and nothing limits their number."""
        return self.capabilities.static_shapes and self.compilations is None

    @cached_property
    def caller(self) -> Caller:
        """Calls the backend."""
        return Caller(self.executor, self.compilations)

    def has(self, form: str) -> bool:
        """Whether the backend satisfies a protocol, by its name in ``description.FORMS``."""
        return form in self.description.forms


def keeps_strides(subject: Subject, array: AnyArray) -> bool:
    """Whether the backend's own array has the strides of this one."""
    return not subject.has("array bridge") or subject.executor.keeps_strides(array)


@dataclass(frozen=True)
class Need:
    """A claim without which a requirement is not applicable; ``claim`` is its name in ``Capabilities.left_out``."""

    name: str
    met_by: Callable[[Subject], bool]
    claim: str = ""

    def missing(self, subject: Subject) -> str | None:
        """The reason why a requirement does not apply to a subject; None if the need is met."""
        if self.met_by(subject):
            return None
        why = dict(subject.capabilities.left_out).get(self.claim)
        return f"{subject.name} {self.without} {self.name}" + (f" (left out, because {why})" if why else "")

    @property
    def without(self) -> str:
        """The verb of the reason."""
        return "does not claim"


class Form(Need):
    """A function that a requirement calls. A requirement that names none needs ``cross_entropy``."""

    @property
    def without(self) -> str:
        """The verb of the reason."""
        return "has no"


class OfDtype(Need):
    """A need of some dtypes of the logits: it is judged in no other, whatever the backend claims."""

    def missing(self, subject: Subject) -> str | None:
        """The reason why a requirement does not apply to a subject; None if its dtype is one of these."""
        return None if self.met_by(subject) else f"{subject.dtype} is not {self.name}"


def so_many(rows: int) -> Need:
    """The need for so many rows in a call."""
    return Need(f"{rows} rows", lambda s: s.takes_rows(rows), "many rows")


CROSS_ENTROPY = Form("cross_entropy", lambda s: s.has("cross-entropy"))
SOFTMAX = Form("softmax", lambda s: s.has("softmax"))
LOG_SOFTMAX = Form("log_softmax", lambda s: s.has("log_softmax"))
SOFTMAX_GRADIENT = Form("softmax_vjp", lambda s: s.has("softmax gradient"), "gradient")
LOG_SOFTMAX_GRADIENT = Form("log_softmax_vjp", lambda s: s.has("log_softmax gradient"), "gradient")
LOGSUMEXP = Form("logsumexp", lambda s: s.has("logsumexp"))
LOGSUMEXP_GRADIENT = Form("logsumexp_vjp", lambda s: s.has("logsumexp gradient"))
TOKEN_LOG_PROBS = Form("token_log_probs", lambda s: s.has("token_log_probs"))
TOKEN_LOG_PROBS_GRADIENT = Form("token_log_probs_vjp", lambda s: s.has("token_log_probs gradient"))
ENTROPY = Form("entropy", lambda s: s.has("entropy"))
ENTROPY_GRADIENT = Form("entropy_vjp", lambda s: s.has("entropy gradient"))
EITHER_SOFTMAX = Form("softmax or log_softmax", lambda s: s.has("softmax") or s.has("log_softmax"))
NLL_LOSS = Form("nll_loss", lambda s: s.has("nll_loss"))
#: For requirements about any function: of a backend without cross_entropy they judge these.
FUNCTION = Form(
    "cross_entropy, softmax, log_softmax or nll_loss",
    lambda s: any(form.met_by(s) for form in (CROSS_ENTROPY, EITHER_SOFTMAX, NLL_LOSS)),
)
FUSED_LINEAR = Form("linear_cross_entropy", lambda s: s.has("fused linear"))
LINEAR_GRADIENT = Form("linear_cross_entropy_vjp", lambda s: s.has("fused linear gradient"))

HALF = OfDtype("a 16-bit format", lambda s: s.dtype in HALVES)
GRADIENT = Need("gradients (cross_entropy_vjp)", lambda s: s.has("gradient"))
SECOND_ORDER = Need("second derivatives (cross_entropy_hvp)", lambda s: s.has("second order"), "second derivatives")
LAYER = Need("a layer form (cross_entropy_layer)", lambda s: s.has("layer"))
WEIGHT = Need("class weights", lambda s: s.capabilities.weight, "weight")
PROBABILITY_TARGETS = Need("probability targets", lambda s: s.capabilities.probability_targets, "probability_targets")
LABEL_SMOOTHING = Need("label_smoothing", lambda s: s.capabilities.label_smoothing, "label_smoothing")
DIVISOR = Need("a divisor given by the caller", lambda s: s.capabilities.divisor, "divisor")
Z_LOSS = Need("lse_square_scale", lambda s: s.capabilities.lse_square_scale, "lse_square_scale")
LOGIT_SCALE = Need("logit_scale", lambda s: s.capabilities.logit_scale, "logit_scale")
SOFTCAP = Need("softcap", lambda s: s.capabilities.softcap, "softcap")
#: Options of language models, by name.
EXTRA_NEEDS = {need.claim: need for need in (DIVISOR, Z_LOSS, LOGIT_SCALE, SOFTCAP)}
TOGETHER = Need(
    "two of divisor, lse_square_scale, logit_scale and softcap",
    lambda s: sum(need.met_by(s) for need in EXTRA_NEEDS.values()) > 1,
)
FULL_SMOOTHING = Need("label_smoothing=1", lambda s: s.capabilities.max_label_smoothing == 1, "label_smoothing=1")
DETERMINISM = Need("deterministic results", lambda s: s.capabilities.deterministic)
IGNORING = Need(
    "ignored rows",
    lambda s: s.capabilities.ignore_index or s.capabilities.default_ignore_index is not None,
    "ignore_index",
)
NON_FINITE_LOGITS = Need("infinite and nan logits", lambda s: not s.capabilities.finite_logits_only, "infinite logits")
OWN_PROCESS = Need("a process of its own (the run is --in-process)", lambda s: s.executor.expendable)
EXACT_INPUTS = Need("to leave its inputs alone", lambda s: not s.capabilities.overwrites_logits)
_EVERY_OTHER = np.zeros((2, 4), dtype=np.float32)[:, ::2]
STRIDES = Need("strided arrays", lambda s: keeps_strides(s, _EVERY_OTHER))
SEES_MEMORY_BESIDE = Need("arrays that share the memory given to it", lambda s: keeps_strides(s, _EVERY_OTHER))
CHECKS_LABELS = Need(
    "an error or nan for invalid labels (its convention is abort or undefined)",
    lambda s: s.conventions.invalid_label in ("error", "nan"),
)
DIVIDES_BY_WEIGHT = Need(
    "a mean that divides by the targets' weights",
    lambda s: s.conventions.mean_divisor == "target_weight",
)
