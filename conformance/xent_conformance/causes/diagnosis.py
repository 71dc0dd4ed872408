"""What it takes to fail: the facts of a failing problem without which it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from xent_conformance.calling.calls import Invocation
from xent_conformance.causes.facts import facts
from xent_conformance.causes.variants import WITHOUT, variants
from xent_conformance.problem import Problem

#: Options of a call where they are not passed.
OPTIONS = {"weight": None, "ignore_index": None, "reduction": "mean", "label_smoothing": 0.0}
PLACES = {fact: place for place, fact in enumerate(WITHOUT)}


class Shown(Enum):
    """What a problem shows of a failure."""

    FAILS = "fails"
    PASSES = "passes"
    #: It fails in another way, nearly fails, cannot be judged.
    UNCLEAR = "unclear"
    #: It is not what the requirement is about.
    NOTHING = "nothing"


@dataclass(frozen=True)
class Needs:
    """Facts of a failing problem: those that it does not fail without, and those of which that cannot be said.

    ``sizes`` say more closely how large it must be: see ``edges``.
    """

    situation: tuple[str, ...]
    undecided: tuple[str, ...]
    sizes: tuple[str, ...] = field(default=(), compare=False)


def needs(problem: Problem, shown: Callable[[Problem], Shown]) -> Needs:
    """What a failing problem needs in order to fail.

    A fact is needed where at least one variant without it passes and none fails.
    """
    situation, undecided = [], []
    for fact in sorted(facts(problem), key=_place):
        seen = {shown(variant) for variant in variants(problem, fact)}
        if Shown.FAILS in seen or not seen:
            continue
        # What only compares layouts has nothing to compare where there is none.
        if Shown.PASSES in seen or (fact.endswith("not contiguous") and seen == {Shown.NOTHING}):
            situation.append(fact)
        else:
            undecided.append(fact)
    return Needs(tuple(situation), tuple(undecided))


def elsewhere(problem: Problem, calls: Iterable[Invocation]) -> tuple[str, ...]:
    """Facts of calls that a problem does not have: what compares calls may have seen the fault in any of them."""
    others = {fact for call in calls for fact in _facts_of(call, problem)}
    return tuple(sorted(others - facts(problem), key=_place))


def _facts_of(call: Invocation, judged: Problem) -> frozenset[str]:
    """Facts of a call of logits, or of their log_softmax, and a target, that was made while judging a problem."""
    logits = call.inputs.get("logits", call.inputs.get("log_probs"))
    target = call.inputs.get("target")
    if logits is None or target is None:
        return frozenset()
    given = {name: call.options.get(name, neutral) for name, neutral in OPTIONS.items()}
    return facts(judged.with_(logits=logits, target=target, cotangent=call.inputs.get("cotangent"), **given))


def _place(fact: str) -> tuple[int, str]:
    """Where a fact comes in a situation: options first, then shapes and numbers, then memory layouts and dtypes."""
    return PLACES.get(fact, len(PLACES)), fact
