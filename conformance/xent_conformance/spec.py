"""The specification as a document: hand-written semantics and the requirements of the registry, numbered."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby

from xent_conformance.judging.subject import CROSS_ENTROPY
from xent_conformance.requirements.registry import Requirement

#: Families and their headings in the order of the document; any other family follows, by name.
FAMILIES = {
    "identities": "Identities",
    "accuracy": "Accuracy",
    "gradients": "Gradients",
    "reduction": "Reduction",
    "weights": "Class weights",
    "ignore_index": "Ignored rows",
    "label_smoothing": "Label smoothing",
    "probability_targets": "Probability targets",
    "dtypes": "Dtypes",
    "invalid_calls": "Invalid calls",
    "extremes": "Extremes",
    "layout": "Memory layout",
    "purity": "Purity",
    "edges": "Edges",
    "conventions": "Conventions",
    "fused_linear": "Fused linear maps",
    "language_model": "Language models",
    "scale": "Scale",
}
#: Family to the numbered paragraphs of the semantics that define its terms.
SECTIONS = {
    "identities": ("2.1", "2.3", "3.1"),
    "accuracy": ("2.1", "2.3", "6.1", "6.2", "6.4"),
    "gradients": ("3.1", "3.2", "3.3", "3.4"),
    "reduction": ("2.3", "3.1"),
    "weights": ("1.3", "2.1", "2.3"),
    "ignore_index": ("1.4", "2.2", "2.3", "3.2"),
    "label_smoothing": ("1.5", "2.1"),
    "probability_targets": ("1.2", "2.1", "3.3"),
    "dtypes": ("1.1", "1.2", "1.3", "2.4", "8.1"),
    "invalid_calls": ("8.1",),
    "extremes": ("4.1", "4.2", "4.3"),
    "layout": ("1.1", "7.2"),
    "purity": ("7.1", "7.3"),
    "edges": ("1.1", "2.2", "2.3"),
    "conventions": ("2.1", "2.2", "2.3", "4.1", "4.2"),
    "fused_linear": ("3.5",),
    "language_model": ("1.6", "2.5", "2.6", "2.7", "3.6", "3.7", "6.5"),
    "scale": ("2.1", "3.1"),
}


def specification(requirements: Iterable[Requirement]) -> str:
    """The text of SPEC.md."""
    order = list(FAMILIES)

    def place(requirement: Requirement) -> tuple[int, str, str]:
        family = requirement.family
        return (order.index(family) if family in order else len(order), family, requirement.id)

    semantics = files("xent_conformance").joinpath("semantics.md").read_text("utf-8").rstrip()
    parts = [semantics, "", "## 9. Requirements", ""]
    for number, (family, members) in enumerate(groupby(sorted(requirements, key=place), lambda r: r.family), start=1):
        parts += [f"### 9.{number} {FAMILIES.get(family, family)}", ""]
        for index, requirement in enumerate(members, start=1):
            parts += _entry(f"9.{number}.{index}", requirement)
    return "\n".join(parts).rstrip() + "\n"


def _entry(number: str, requirement: Requirement) -> list[str]:
    lines = [f"**{number} `{requirement.id}`** ({requirement.level}): {requirement.title}.", "", requirement.statement]
    needs = [need.name for need in requirement.needs if need is not CROSS_ENTROPY]
    if needs:
        lines.append("Applies to implementations that claim " + "; ".join(needs) + ".")
    if requirement.references:
        lines += ["", "References: " + ", ".join(f"<{link}>" for link in requirement.references)]
    return [*lines, ""]
