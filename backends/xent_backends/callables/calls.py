"""Trial calls of a callable on small batches: the result of each, or the reason for which it was rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_backends.callables.attempt import LeftOut, attempted
from xent_backends.callables.batches import AnyArray, Problem, problem_of
from xent_backends.callables.signature import Signature


class Answer(NamedTuple):
    """The result of a trial call.

    Attributes:
        loss: The loss in float64; None if the call raised an exception or returned no array.
        refusal: Why the callable rejected the arguments; None if it did not.
        dtype: The dtype in which the loss was returned.
    """

    loss: npt.NDArray[np.float64] | None = None
    refusal: str | None = None
    dtype: str | None = None


class Calls:
    """Trial calls of one callable.

    Attributes:
        signature: The options that it takes.
        dtype: The dtype of logits for calls that are not about dtypes.
        ways: The reductions under which each call is tried, as options.
        left_out: What the callable rejected, with the reasons.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Signature,
        convert: Callable[[AnyArray], Any],
        back: Callable[[Any], AnyArray],
        prepared: Callable[[AnyArray], AnyArray] = lambda logits: logits,
    ) -> None:
        """Make no call yet.

        Args:
            function: The callable.
            signature: The options that it takes.
            convert: Makes the callable's arrays from NumPy arrays.
            back: Makes NumPy arrays from the callable's arrays.
            prepared: Makes the callable's input, such as log-probabilities, from logits.
        """
        self.function, self.signature, self.convert, self.back = function, signature, convert, back
        self._prepared = prepared
        self.left_out = LeftOut()
        self.dtype = "float32"
        self.ways: tuple[dict[str, Any], ...] = ({},)

    def answer(self, problem: Problem, options: Mapping[str, Any], refusals: type[Exception] = Exception) -> Answer:
        """Call with new arrays. Exceptions of the type ``refusals`` reject the arguments."""
        loss, refusal = attempted(lambda: self._called(*self._arrays(problem), **self._converted(options)), refusals)
        return self._read(loss, refusal)

    def gradient(self, vjp: Callable[..., Any], problem: Problem, options: Mapping[str, Any]) -> Answer:
        """Call ``vjp`` for a loss that is one number; the answer has the gradient of the logits instead of the loss."""
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
        """The answer for the value that a call returned, or None if it raised an exception."""
        try:
            array = None if value is None else np.asarray(self.back(value))
            return (
                Answer(refusal=refusal) if array is None else Answer(array.astype(np.float64), None, array.dtype.name)
            )
        except Exception:  # noqa: BLE001 - a result that is no array is a fault, which the requirements report
            return Answer()

    def with_label(self, label: int) -> Answer:
        """Call with a batch of which only the last label is ``label``."""
        logits, target = problem_of(self.dtype)
        target[target == label] = 1 - label
        target[-1] = label
        return self.answer((logits, target), self.ways[0])

    def refusal(
        self,
        problems: Iterable[Problem],
        options: Mapping[str, Any] | None = None,
        refusals: type[Exception] = Exception,
    ) -> str | None:
        """The reason for the first rejection if the calls of all problems under all reductions are rejected, or None.

        Args:
            problems: Logits and target of each call.
            options: Further options of each call.
            refusals: Exceptions of this type reject the arguments.
        """
        first = None
        for problem in problems:
            for way in self.ways:
                why = self.answer(problem, {**way, **(options or {})}, refusals).refusal
                if why is None:
                    return None
                first = first or why
        return first
