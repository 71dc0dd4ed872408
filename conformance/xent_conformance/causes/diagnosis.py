"""Determines the situation of a failure: the facts of its problem without which it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from xent_conformance.calling.calls import Invocation
from xent_conformance.causes.facts import facts
from xent_conformance.causes.variants import WITHOUT, variants
from xent_conformance.problem import EXTRAS, Problem
from xent_conformance.records.situations import STRIDED

#: Values of the options of a call that are not passed.
OPTIONS = {"weight": None, "ignore_index": None, "reduction": "mean", "label_smoothing": 0.0, **EXTRAS}
PLACES = {fact: place for place, fact in enumerate(WITHOUT)}


class Shown(Enum):
    """What a variant of a problem shows about a failure."""

    FAILS = "fails"
    PASSES = "passes"
    #: It fails in another way, nearly fails, or cannot be judged.
    UNCLEAR = "unclear"
    #: The requirement does not apply to it.
    NOTHING = "nothing"


@dataclass(frozen=True)
class Needs:
    """The facts of a failing problem that matter for the failure.

    Attributes:
        situation: Those without which it does not fail.
        undecided: Those for which this could not be decided.
        sizes: The smallest failing size, as facts; see ``edges``.
    """

    situation: tuple[str, ...]
    undecided: tuple[str, ...]
    sizes: tuple[str, ...] = field(default=(), compare=False)


def needs(problem: Problem, shown: Callable[[Problem], Shown], of: Iterable[str] | None = None) -> Needs:
    """Determine which facts of a problem are necessary for its failure.

    A fact is necessary if no variant without it fails and at least one passes.

    Args:
        problem: A failing problem.
        shown: Judges a variant of it.
        of: The facts to decide; None for all of them.
    """
    situation, undecided = [], []
    for fact in sorted(facts(problem) if of is None else facts(problem).intersection(of), key=_place):
        seen = _seen(variants(problem, fact), shown)
        if Shown.FAILS in seen or not seen:
            continue
        # A requirement that compares memory layouts does not apply to a variant where all arrays are contiguous.
        if Shown.PASSES in seen or (fact.endswith(STRIDED) and seen == {Shown.NOTHING}):
            situation.append(fact)
        else:
            undecided.append(fact)
    return Needs(tuple(situation), tuple(undecided))


def _seen(made: Iterable[Problem], shown: Callable[[Problem], Shown]) -> set[Shown]:
    """What variants show, as far as the first that fails."""
    seen = set[Shown]()
    for variant in made:
        seen.add(shown(variant))
        if Shown.FAILS in seen:
            break
    return seen


def elsewhere(problem: Problem, calls: Iterable[Invocation]) -> tuple[str, ...]:
    """Facts of the calls made while judging a problem that the problem itself does not have.

    A requirement that compares calls may have seen the fault in any of them.
    """
    others = {fact for call in calls for fact in _facts_of(call, problem)}
    return tuple(sorted(others - facts(problem), key=_place))


def _facts_of(call: Invocation, judged: Problem) -> frozenset[str]:
    """Facts of a call made while judging a problem; empty for a call without target, or without logits or log_probs."""
    logits = call.inputs.get("logits", call.inputs.get("log_probs"))
    target = call.inputs.get("target")
    if logits is None or target is None:
        return frozenset()
    given = {name: call.options.get(name, neutral) for name, neutral in OPTIONS.items()}
    return facts(judged.with_(logits=logits, target=target, cotangent=call.inputs.get("cotangent"), **given))


def _place(fact: str) -> tuple[int, str]:
    """Sort key of a fact in a situation: options first, then shapes and numbers, then memory layouts and dtypes."""
    return PLACES.get(fact, len(PLACES)), fact
