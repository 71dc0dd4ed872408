"""Calling a backend: the invocations of its methods, and the outcome of each, whatever the backend does.

An :class:`Executor` carries out invocations, in this process (``execution.py``) or in a worker (``isolation``). A
:class:`Caller` raises LostError for a call that crashes or hangs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.compilations import Compilations
from xent_conformance.interface import LinearVjp, Vjp
from xent_conformance.problem import AnyArray, Problem, same_bits

#: How a process may end in a call.
CRASH, TIMEOUT = "crash", "timeout"
#: How messages describe a call that wrote outside its inputs.
STRAYED = "wrote outside the elements of its"
#: Longest text of a result.
LONGEST_SHOWN = 200


@dataclass(frozen=True)
class Outcome:
    """The result of one call: its arrays by name, what it raised, or why its result is malformed.

    ``raised_at`` is "file:line" of the innermost frame outside the suite, None if there is none.

    ``changed`` names the inputs whose elements have changed, ``strayed`` those around whose elements something was
    written, ``aliases`` the results that share the memory of an input. ``fate`` is CRASH or TIMEOUT if the call did not
    return; ``malformed`` then says how it ended.
    """

    arrays: Mapping[str, AnyArray]
    raised: str | None = None
    raised_type: str | None = None
    raised_at: str | None = None
    traceback: str | None = None
    malformed: str | None = None
    changed: tuple[str, ...] = ()
    strayed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    fate: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why there is no result to judge, as a phrase that follows the name of the call; None if there is a result."""
        if self.raised is not None:
            return f"raised {self.raised_type}: {self.raised}"
        if self.strayed and self.malformed is None:
            return f"{STRAYED} {', '.join(self.strayed)}"
        return self.malformed

    @property
    def shown(self) -> str:
        """The outcome as text: its trouble, or the first of its results."""
        if self.trouble is not None:
            return self.trouble
        name, array = next(iter(self.arrays.items()), ("nothing", np.zeros(0)))
        return f"returned {name} {as_float64(array).tolist()}"[:LONGEST_SHOWN]


@dataclass(frozen=True)
class Invocation:
    """One call of a backend's method: positional arrays by name, keyword options, and names for its results.

    An input that is None is passed as None. ``guarded``: the inputs are between guard bands. The bands of the inputs
    that ``ordinary`` names have ordinary numbers instead of poison.
    """

    method: str
    results: tuple[str, ...]
    inputs: Mapping[str, AnyArray | None]
    options: Mapping[str, Any] = field(default_factory=dict)
    guarded: bool = True
    ordinary: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal calls. Arrays are compared by identity, so it is valid only as long as they exist."""
        weight = self.options.get("weight")
        options = {**self.options, "weight": None if weight is None else id(weight)}
        return self.method, tuple(map(id, self.inputs.values())), tuple(sorted(options.items())), self.ordinary

    @property
    def arrays(self) -> dict[str, AnyArray]:
        """All arrays that are passed, by name; ``weight`` is that of the classes or of a linear map."""
        passed = {name: array for name, array in self.inputs.items() if array is not None}
        return {**passed, "weight": self.options["weight"]} if self.options.get("weight") is not None else passed


class Factors(NamedTuple):
    """The operands of a linear map that gives logits (N, C): hidden (N, H), weight (C, H), and bias (C,) or None."""

    hidden: AnyArray
    weight: AnyArray
    bias: AnyArray | None


#: Number of latest calls that are remembered, and of the first ones of their shapes; most bytes of the arrays of each.
REMEMBERED, LARGEST = 128, 1 << 16


class History:
    """The calls of a process on which a later one may depend, in the order in which they were made.

    They are the latest and, of those before, the first of each method with arrays of the same shapes: a cache keeps
    what the first call of its key has put there.
    """

    def __init__(self) -> None:
        """No calls yet."""
        self._first: dict[tuple[Any, ...], Invocation] = {}
        self._latest: deque[Invocation] = deque()

    def extend(self, calls: Iterable[Invocation]) -> None:
        """Further calls."""
        self._latest.extend(calls)
        while len(self._latest) > REMEMBERED:
            oldest = self._latest.popleft()
            if len(self._first) < REMEMBERED:
                shapes = tuple((name, array.shape) for name, array in oldest.arrays.items())
                self._first.setdefault((oldest.method, shapes), oldest)

    def clear(self) -> None:
        """The process was replaced by a new one."""
        self._first.clear()
        self._latest.clear()

    def __iter__(self) -> Iterator[Invocation]:
        """From the earliest to the latest."""
        return chain(self._first.values(), self._latest)


class Executor(Protocol):
    """Carries out invocations on one backend, each with its own copies of the inputs.

    ``restarts``: number of processes that have ended. ``expendable``: it survives calls that crash the backend.
    ``recent`` has the calls on which a backend with internal state may depend.
    """

    restarts: int
    expendable: bool
    recent: History

    def perform(self, invocation: Invocation) -> Outcome:
        """One call."""

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """One call, and then another one with the same arrays, whose contents are overwritten in between.

        Returns the outcome of the second; None if the backend's arrays cannot be written to.
        """

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation ``rounds`` times in a thread of its own, all at once."""

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and the state of the process that it has changed, such as the working directory."""

    def renewed(self) -> bool:
        """Let the next call be the first in a new process; False if that is not possible."""

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one."""

    def close(self) -> None:
        """Release the backend."""


class LostError(Exception):
    """A call that did not return. Callers raise it, so that no requirement takes it for a result."""

    def __init__(self, calls: Sequence[Invocation], outcome: Outcome, *, threads: bool = False) -> None:
        """Has the calls, which were made one after the other or each in a thread, and the outcome."""
        super().__init__(f"{calls[0].method} {outcome.trouble}")
        self.calls = tuple(calls)
        self.outcome = outcome
        self.threads = threads


class Caller:
    """Makes calls of a backend through an executor. Each method raises LostError if a call does not return.

    Where the backend compiles, ``compilations`` may refuse a call, by NotCompiledError.
    """

    def __init__(self, executor: Executor, compilations: Compilations | None = None) -> None:
        """Calls are carried out by an executor."""
        self.executor = executor
        self.compilations = compilations

    def _admit(self, *invocations: Invocation) -> None:
        if self.compilations is not None:
            self.compilations.admit(*invocations)

    def _remember(self, *invocations: Invocation) -> None:
        self._admit(*invocations)
        small = (i for i in invocations if sum(a.nbytes for a in i.arrays.values()) <= LARGEST)
        self.executor.recent.extend(small)

    def perform(self, invocation: Invocation) -> Outcome:
        """One call."""
        self._remember(invocation)
        outcome = self.executor.perform(invocation)
        if self.compilations is not None and outcome.raised is not None:
            self.compilations.rejected(invocation)
        return _returned(outcome, invocation)

    def disturbed(self, invocation: Invocation) -> tuple[str, ...]:
        """The state of the process that a call has changed."""
        self._remember(invocation)
        outcome, changed = self.executor.disturbed(invocation)
        _returned(outcome, invocation)
        return changed

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        self._remember(invocation, other)
        early, late = self.executor.read_twice(invocation, other)
        return _returned(early, invocation), _returned(late, invocation, other)

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable."""
        self._remember(invocation, other)
        outcome = self.executor.rewritten(invocation, other)
        return None if outcome is None else _returned(outcome, invocation, other)

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation ``rounds`` times in a thread of its own, all at once."""
        self._admit(*invocations)
        by_thread = self.executor.together(invocations, rounds)
        return [[_returned(outcome, *invocations, threads=True) for outcome in outcomes] for outcomes in by_thread]


def _returned(outcome: Outcome, *calls: Invocation, threads: bool = False) -> Outcome:
    """The outcome, if the calls returned; raises LostError otherwise."""
    if outcome.fate is not None:
        raise LostError(calls, outcome, threads=threads)
    return outcome


def forward(problem: Problem, method: str = "cross_entropy") -> Invocation:
    """The call for the loss of a problem, as a function or as a layer."""
    return Invocation(method, ("loss",), _arrays(problem, "logits", "target"), problem.options())


def backward(problem: Problem, method: str = "cross_entropy_vjp", **variation: Any) -> Invocation:
    """The call for loss and gradients of a problem, as a function or as a layer."""
    inputs = _arrays(problem, "cotangent", "logits", "target")
    return Invocation(method, Vjp._fields, inputs, {**problem.options(), **variation})


def second_order(vector: AnyArray, problem: Problem) -> Invocation:
    """The call for the second derivative times a vector of the logits' shape."""
    inputs = {"vector": vector, **_arrays(problem, "cotangent", "logits", "target")}
    return Invocation("cross_entropy_hvp", ("product",), inputs, problem.options())


def primitive(name: str, logits: AnyArray, target: AnyArray | None = None) -> Invocation:
    """The call of a function of the logits: ``softmax``, ``log_softmax``, ``logsumexp``, ``entropy``, or with class
    indices ``token_log_probs``.
    """
    inputs = {"logits": logits} if target is None else {"logits": logits, "target": target}
    return Invocation(name, (name,), inputs)


def primitive_backward(name: str, cotangent: AnyArray, logits: AnyArray, target: AnyArray | None = None) -> Invocation:
    """The call for the gradient of one of these, for a cotangent of the shape of its result."""
    inputs = {"cotangent": cotangent, **primitive(name, logits, target).inputs}
    return Invocation(f"{name}_vjp", ("grad_logits",), inputs)


def nll_loss(log_probs: AnyArray, problem: Problem) -> Invocation:
    """The call of the negative log-likelihood with the problem's options."""
    inputs = {"log_probs": log_probs, "target": problem.target}
    return Invocation("nll_loss", ("loss",), inputs, problem.options())


def linear(factors: Factors, problem: Problem) -> Invocation:
    """The call for the loss with the linear map before it."""
    inputs = {**factors._asdict(), "target": problem.target}
    return Invocation("linear_cross_entropy", ("loss",), inputs, problem.options())


def linear_backward(factors: Factors, problem: Problem) -> Invocation:
    """The call for loss and gradients of the linear map's input, weight and bias."""
    inputs = {"cotangent": problem.cotangent, **factors._asdict(), "target": problem.target}
    return Invocation("linear_cross_entropy_vjp", LinearVjp._fields, inputs, problem.options())


def _arrays(problem: Problem, *names: str) -> dict[str, AnyArray]:
    return {name: getattr(problem, name) for name in names}


def differing(first: Outcome, second: Outcome, same: Callable[[AnyArray, AnyArray], bool] = same_bits) -> str | None:
    """The first result that is not the ``same``, or that only one of two calls has returned; None if there is none.

    It is "outcome" if only one of them has results. Which arrays are the same is by default a comparison of their bits.
    """
    if first.trouble or second.trouble:
        return None if first.trouble == second.trouble else "outcome"
    # A call may leave out a result that the other one has.
    for name in dict.fromkeys((*first.arrays, *second.arrays)):
        one, two = first.arrays.get(name), second.arrays.get(name)
        if one is None or two is None or not same(one, two):
            return name
    return None


def as_float64(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Floating-point numbers of any format as float64."""
    return np.asarray(array).astype(np.float64)
