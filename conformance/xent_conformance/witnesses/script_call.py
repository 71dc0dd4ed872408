"""One call of a standalone script as text: its arrays, its arguments, and the names of its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.interface import ReproducerParts
from xent_conformance.problem import AnyArray
from xent_conformance.witnesses import literals
from xent_conformance.witnesses.vocabulary import assigned

#: Variables for results that would otherwise shadow the function that returns them.
HIDING = {
    "softmax": "probabilities",
    "log_softmax": "log_probabilities",
    "logsumexp": "log_sums",
    "token_log_probs": "of_tokens",
    "entropy": "entropies",
}
#: Results with one number for each row.
OF_ROWS = ("logsumexp", "token_log_probs", "entropy")
#: Inputs with a class axis: the second, or the only one.
WIDE = ("logits", "log_probs")


@dataclass(frozen=True)
class CallText:
    """A call as text, see :class:`~xent_conformance.judging.findings.ScriptCall`.

    ``variables`` has the variable of each array by its name in the call. ``suffix`` distinguishes the results of
    several calls.
    """

    invocation: Invocation
    variables: Mapping[str, str]
    parts: ReproducerParts
    suffix: str = ""

    @property
    def inputs(self) -> Sequence[str]:
        """The variables of its arrays."""
        return tuple(self.variables.values())

    @property
    def text(self) -> str:
        """The call itself."""
        call = self.invocation
        passed = [self.variables.get(name, "None") for name in call.inputs]
        for name, value in call.options.items():
            text = self.variables["weight"] if isinstance(value, np.ndarray) else literals.number(value)
            passed.append(f"{name}={text}")
        return f"{call.method}({', '.join(passed)})"

    @property
    def assignment(self) -> str:
        """A statement that makes the call and assigns its results to variables."""
        return f"{', '.join(map(self.named, self.invocation.results))} = {self.text}"

    def named(self, result: str) -> str:
        """The variable of a result."""
        return HIDING.get(result, result) + self.suffix

    def read(self, expression: str) -> str:
        """An expression that converts one of the backend's arrays to a NumPy array of float64."""
        return self.parts.result.format(value=expression)

    def rows(self, result: str) -> str:
        """An expression for a result by row: losses (rows,) or (), gradients (rows, C)."""
        value, inputs = self.read(self.named(result)), self.invocation.inputs
        wide = next((inputs[name] for name in WIDE if name in inputs), None)
        if wide is None:
            # A linear map has rows; the gradient of its bias is a column.
            return f"{value}.reshape(-1, 1)" if result == "grad_bias" else value
        if wide.ndim == 2:  # noqa: PLR2004 - rows and classes already
            return value
        if result in OF_ROWS:
            return f"{value}.reshape(-1)"
        if result == "loss":
            return f"{value}.reshape(-1)" if self.invocation.options.get("reduction") == "none" else value
        axis = min(1, wide.ndim - 1)
        return f"np.moveaxis({value}, {axis}, -1).reshape(-1, {wide.shape[axis]})"


def call_texts(
    calls: Iterable[Invocation], parts: ReproducerParts, *, bands: bool = False
) -> tuple[list[CallText], list[str]]:
    """Calls as text, and the lines that define their arrays, each once; with ``bands`` between guard bands."""
    made: dict[tuple[int, bool], str] = {}
    texts: list[CallText] = []
    lines: list[str] = []
    for number, call in enumerate(calls, start=1):
        suffix = "" if number == 1 else f"_{number}"
        variables = {}
        for name, array in call.arrays.items():
            ordinary = name in call.ordinary
            key = id(array), ordinary
            if key not in made:
                made[key] = name + suffix
                lines += assigned(name + suffix, array, parts, bands=bands, ordinary=ordinary)
            variables[name] = made[key]
        texts.append(CallText(call, variables, parts, suffix))
    return texts, lines


def dtypes_of(calls: Iterable[Invocation]) -> set[str]:
    """Names of the dtypes of all arrays that calls take."""
    arrays: list[AnyArray] = [array for call in calls for array in call.arrays.values()]
    return {array.dtype.name for array in arrays}
