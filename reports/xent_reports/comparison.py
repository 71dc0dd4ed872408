"""Backends side by side: conventions, capabilities and observations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xent_conformance.records.lines import BackendLine, RequirementLine
from xent_conformance.records.status import Status
from xent_reports.accuracy import TIGHTEST_TIER
from xent_reports.figures import counted
from xent_reports.model import Run
from xent_reports.visible import web_address

#: Situations of one observation that are shown.
_SITUATIONS = 24


@dataclass(frozen=True)
class Choice:
    """One backend's value: marked if it is unusual, a warning if it claims unsafe behaviour.

    ``note`` is its origin, if there is no documentation to link to.
    """

    text: str
    differs: bool = False
    warning: bool = False
    href: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """One question and each backend's answer."""

    name: str
    question: str
    choices: Sequence[Choice]

    @property
    def common(self) -> Choice | None:
        """The answer that all of several backends give, if they agree."""
        return self.choices[0] if len(self.choices) > 1 and len(set(self.choices)) == 1 else None


@dataclass(frozen=True)
class Observation:
    """Observations of one requirement: each backend's answer by situation, with the dtypes if they differ."""

    requirement: RequirementLine
    situations: Sequence[Comparison]


def conventions(run: Run) -> list[Comparison]:
    """Declared choices. The usual one is the header's default if it names one, else that of most backends."""
    compared = []
    for name in _fields(run, lambda b: b.conventions):
        asked = run.header.conventions.get(name)
        chosen = [b.conventions.get(name, "") for b in run.available]
        usual = asked.default if asked else _commonest(chosen)
        choices = [
            Choice(
                text,
                differs=bool(text) and text != usual,
                warning=text in {"undefined", "abort"},
                href=web_address(backend.documentation.get(name, "")),
                note=backend.basis.get(name, ""),
            )
            for backend, text in zip(run.available, chosen, strict=True)
        ]
        compared.append(Comparison(name, asked.question if asked else "", choices))
    return compared


def unusual(run: Run) -> str:
    """The number of conventions, and of those with an unusual choice."""
    compared = conventions(run)
    differing = sum(any(choice.differs for choice in c.choices) for c in compared)
    return f"{counted(len(compared), 'question')}, {differing} with an unusual answer"


def capabilities(run: Run) -> list[Comparison]:
    """Claims. Where backends differ is not marked: a claim that is not made is no fault."""
    return [
        Comparison(name, "", [_claim(name, b.capabilities.get(name)) for b in run.available])
        for name in _fields(run, lambda b: b.capabilities)
        if name not in ("conventions", "left_out")
    ]


def left_out(run: Run) -> list[Comparison]:
    """Capabilities that backends do not claim because they refused them, with the reasons."""
    columns = [_reasons(b.capabilities.get("left_out")) for b in run.available]
    return _side_by_side(columns) if any(columns) else []


def _reasons(listed: Any) -> dict[str, str]:
    """What is left out, with the reasons; empty if a foreign record has it in another form."""
    pairs = listed if isinstance(listed, list) else []
    return {
        str(pair[0]): str(pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == len(("what", "why"))
    }


def observations(run: Run) -> list[Observation]:
    """Requirements that only observe, with their observations."""
    observed = []
    for requirement in run.requirements:
        if requirement.id == TIGHTEST_TIER:
            continue
        columns = [run.cells.get((requirement.id, b.name), []) for b in run.available]
        seen = [[(v.dtype, v.observed) for v in c if v.status is Status.OBSERVED and v.observed] for c in columns]
        if any(seen):
            observed.append(Observation(requirement, _side_by_side([_by_situation(answers) for answers in seen])))
    return observed


def _side_by_side(answers: Sequence[dict[str, str]]) -> list[Comparison]:
    """Each situation with the answers of all backends."""
    names = list(dict.fromkeys(name for answer in answers for name in answer))
    shown = names if len(names) <= _SITUATIONS else names[: _SITUATIONS - 1]
    compared = [Comparison(name, "", [Choice(answer.get(name, "")) for answer in answers]) for name in shown]
    more = len(names) - len(shown)
    return [*compared, Comparison(f"{more} more", "", [Choice("") for _ in answers])] if more else compared


def _by_situation(answers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """One backend's answer to each situation; with the dtypes, unless all agree."""
    dtypes_by_answer: dict[str, dict[str, list[str]]] = {}
    for dtype, text in answers:
        for situation in text.split("; "):
            name, colon, answer = situation.partition(": ")
            name, answer = (name, answer) if colon else ("", situation)
            dtypes_by_answer.setdefault(name, {}).setdefault(answer, []).append(dtype)
    names = {dtype for dtype, _ in answers}
    in_words = {}
    for name, by in dtypes_by_answer.items():
        said = [text if set(seen) == names else f"{text} ({', '.join(seen)})" for text, seen in by.items()]
        in_words[name] = "; ".join(said)
    return in_words


def _fields(run: Run, part: Callable[[BackendLine], dict[str, Any]]) -> list[str]:
    """Field names of all backends in the order of their declaration."""
    return list(dict.fromkeys(name for backend in run.available for name in part(backend)))


def _commonest(chosen: Sequence[str]) -> str:
    counts = Counter(text for text in chosen if text)
    return min(counts, key=lambda text: (-counts[text], text), default="")


def _claim(name: str, value: Any) -> Choice:
    return Choice(_claimed(value), warning=name == "overwrites_logits" and value is True)


def _claimed(value: Any) -> str:
    """A claim as text: a list by commas, a table by its fields, None as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        claimed = {_claimed(v) for v in value.values()}
        if len(claimed) == 1 and len(value) > 1 and all(isinstance(v, dict) for v in value.values()):
            return f"for each dtype: {claimed.pop()}"
        return "; ".join(f"{k}: {_claimed(v)}" for k, v in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
