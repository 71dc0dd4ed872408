"""Calls of a callable on tiny batches: what each returns, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_backends.callable_attempt import attempted
from xent_backends.callable_batches import AnyArray, Problem, problem_of
from xent_backends.callable_signature import Signature


class Answer(NamedTuple):
    """What came of a call: its loss as float64, None where there is none to be read, and why it was refused, if so.

    ``dtype`` is that of the loss as it was returned.
    """

    loss: npt.NDArray[np.float64] | None = None
    refusal: str | None = None
    dtype: str | None = None


class Calls:
    """Calls with the options that the signature has, and with logits of ``dtype``.

    ``ways`` are the reductions that are tried in turn, as options; ``left_out`` is what was refused, with the reasons.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Signature,
        convert: Callable[[AnyArray], Any],
        back: Callable[[Any], AnyArray],
        prepared: Callable[[AnyArray], AnyArray] = lambda logits: logits,
    ) -> None:
        """Nothing is called yet. ``convert`` makes the callable's arrays of NumPy's, ``back`` the other way round.

        ``prepared`` makes what the callable takes of logits.
        """
        self.function, self.signature, self.convert, self.back = function, signature, convert, back
        self._prepared = prepared
        self.left_out: list[tuple[str, str]] = []
        self.dtype = "float32"
        self.ways: tuple[dict[str, Any], ...] = ({},)

    def answer(self, problem: Problem, options: Mapping[str, Any], refusals: type[Exception] = Exception) -> Answer:
        """What comes of a call, with arrays of its own; which errors count as ``refusals`` is the caller's choice."""
        loss, refusal = attempted(lambda: self._called(*self._arrays(problem), **self._converted(options)), refusals)
        return self._read(loss, refusal)

    def gradient(self, vjp: Callable[..., Any], problem: Problem, options: Mapping[str, Any]) -> Answer:
        """The gradient of a loss of all rows, which ``vjp`` differentiates, as the loss of an answer."""
        dtype = self.answer(problem, options).dtype or self.dtype

        def call() -> Any:
            cotangent = self.convert(np.ones((), dtype))
            return vjp(self._called, cotangent, *self._arrays(problem), **self._converted(options))[1]

        return self._read(*attempted(call))

    def _arrays(self, problem: Problem) -> tuple[Any, Any]:
        return self.convert(self._prepared(problem[0])), self.convert(problem[1])

    def _called(self, logits: Any, target: Any, **options: Any) -> Any:
        return self.function(logits, target, **self.signature.accepted(options))

    def _converted(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self.convert(v.astype(self.dtype)) if k == "weight" else v for k, v in options.items()}

    def _read(self, value: Any, refusal: str | None) -> Answer:
        """What came of a call that returned a value, None where it did not."""
        try:
            array = None if value is None else np.asarray(self.back(value))
            return (
                Answer(refusal=refusal) if array is None else Answer(array.astype(np.float64), None, array.dtype.name)
            )
        except Exception:  # noqa: BLE001 - what cannot be read is no refusal, and will be judged
            return Answer()

    def with_label(self, label: int) -> Answer:
        """What comes of a batch whose last label is this one."""
        logits, target = problem_of(self.dtype)
        target[-1] = label
        return self.answer((logits, target), self.ways[0])

    def refusal(
        self,
        problems: Iterable[Problem],
        options: Mapping[str, Any] | None = None,
        refusals: type[Exception] = Exception,
    ) -> str | None:
        """Why calls are refused, of all problems under all reductions; None: one is not."""
        first = None
        for problem in problems:
            for way in self.ways:
                found = self.answer(problem, {**way, **(options or {})}, refusals).refusal
                if found is None:
                    return None
                first = first or found
        return first

    def kept(self, what: str, why: str | None) -> bool:
        """Whether something is claimed; it is left out where there is a reason to."""
        if why is not None:
            self.left_out.append((what, why))
        return why is None
