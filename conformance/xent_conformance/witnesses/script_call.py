"""The call that a standalone script makes, as text: its arrays, its arguments, and which result it is about."""

from __future__ import annotations

from dataclasses import dataclass

from xent_conformance.interface import ReproducerParts
from xent_conformance.judging.judge import Finding
from xent_conformance.problem import Problem
from xent_conformance.witnesses import literals
from xent_conformance.witnesses.vocabulary import assigned


@dataclass(frozen=True)
class Call:
    """The call of a finding as text: ``text`` makes it, ``results`` names what it gives, ``wanted`` is one of them.

    ``beside`` has the reductions of the calls that a requirement makes between two of it; ``bands`` puts its inputs
    between guard bands.
    """

    problem: Problem
    finding: Finding
    parts: ReproducerParts
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    beside: tuple[str, ...] = ()
    bands: bool = False

    @property
    def wanted(self) -> str:
        """The result that the finding is about."""
        quantity = self.finding.quantity
        named = next((r for r in self.results if quantity.startswith(r)), None)
        return named or ("grad_logits" if "gradient" in quantity and len(self.results) > 1 else self.results[0])

    @property
    def text(self) -> str:
        """The call."""
        return f"{self.finding.call}({', '.join([*self.arguments, *self.options])})"

    @property
    def options(self) -> list[str]:
        """Keyword arguments."""
        if self.finding.call in ("softmax", "log_softmax"):
            return []
        passed = {k: "weight" if k == "weight" else literals.number(v) for k, v in self.problem.options().items()}
        if self.finding.call == "nll_loss":
            passed.pop("label_smoothing", None)
        passed |= {k: repr(v) for k, v in self.finding.variation}
        return [f"{k}={v}" for k, v in passed.items()]

    @property
    def assignment(self) -> str:
        """The call with names for its results."""
        return f"{', '.join(self.results)} = {self.text}"

    def read(self, name: str) -> str:
        """A result as a NumPy array of float64."""
        return self.parts.result.format(value=name)

    @property
    def inputs(self) -> list[str]:
        """Assignments of the arrays that it takes."""
        of_logits = self.finding.call == "nll_loss"
        wanted = {*self.arguments, *(["logits"] if of_logits else [])}
        arrays = {k: v for k, v in {**self.problem.arrays(), **self.finding.inputs}.items() if k in wanted}
        if "weight=weight" in self.options and self.problem.weight is not None:
            arrays["weight"] = self.problem.weight
        lines = ["# Around each input lies what no result may depend on, as it did in the run."] if self.bands else []
        for name, array in arrays.items():
            lines += assigned(name, array, self.parts, bands=self.bands)
        return lines

    @property
    def preparation(self) -> list[str]:
        """What is computed from the inputs before the call."""
        return ["log_probs = log_softmax(logits)"] if self.finding.call == "nll_loss" else []
