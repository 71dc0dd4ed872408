"""Situations: short conjunctions of facts that tell failing problems from passing ones.

The principle is that of minimum description length: a situation is worth its words where they save more bits than
they cost, in saying which problems fail. One situation with exceptions is thus preferred to several by chance, and two
to one that half of its problems contradict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Facts in one situation, situations of one requirement, and the conjunctions that are tried further at each length.
LONGEST, MOST, BEAM = 3, 4, 12
#: Bits that every situation after the first costs beside its facts: what keeps accidents from being causes.
OVERHEAD = 12.0
#: A situation of so few failing problems is an accident.
LEAST = 2


@dataclass(frozen=True)
class Situation:
    """Facts that hold together, and the places of the failing problems that they hold for; none: all there are."""

    facts: tuple[str, ...]
    failing: tuple[int, ...]


@dataclass(frozen=True)
class _Rule:
    facts: tuple[int, ...]
    failing: int
    passing: int


def situations(failing: Sequence[frozenset[str]], passing: Sequence[frozenset[str]]) -> list[Situation]:
    """Situations of failing problems, by the facts of each problem; one that covers most first.

    Every failing problem lies in the first situation that holds for it. What lies in none is in a last one without
    facts.
    """
    if not failing:
        return []
    return _Search(failing, passing).found()


class _Search:
    """Sets of problems are integers, one bit for each."""

    def __init__(self, failing: Sequence[frozenset[str]], passing: Sequence[frozenset[str]]) -> None:
        self.names = sorted(set().union(*failing))
        self.fails = [_bits(name in f for f in failing) for name in self.names]
        self.passes = [_bits(name in f for f in passing) for name in self.names]
        self.all_fails, self.all_passes = (1 << len(failing)) - 1, (1 << len(passing)) - 1
        self.cost = math.log2(len(self.names) + 1)

    def found(self) -> list[Situation]:
        rules: list[_Rule] = []
        bits = self.bits(rules)
        while len(rules) < MOST:
            best = self.best_rule(rules)
            if best is None or self.bits([*rules, best]) >= bits:
                break
            rules = self.without_idle([*rules, best])
            bits = self.bits(rules)
        return self.assigned(rules)

    def bits(self, rules: Sequence[_Rule]) -> float:
        """Bits that say the rules, and then which problems fail."""
        failing = passing = 0
        for rule in rules:
            failing |= rule.failing
            passing |= rule.passing
        said = sum(len(r.facts) * self.cost for r in rules) + OVERHEAD * max(0, len(rules) - 1)
        inside = failing.bit_count(), passing.bit_count()
        outside = self.all_fails.bit_count() - inside[0], self.all_passes.bit_count() - inside[1]
        return said + _exceptions(*inside) + _exceptions(*outside)

    def best_rule(self, rules: Sequence[_Rule]) -> _Rule | None:
        """The conjunction that, beside the rules there are, takes the fewest bits."""
        best: tuple[float, tuple[int, ...], _Rule] | None = None
        beam = [_Rule((), self.all_fails, self.all_passes)]
        for _ in range(LONGEST):
            longer: dict[tuple[int, ...], _Rule] = {}
            for rule in beam:
                for place in range(len(self.names)):
                    key = tuple(sorted({*rule.facts, place}))
                    if len(key) == len(rule.facts) or key in longer:
                        continue
                    grown = _Rule(key, rule.failing & self.fails[place], rule.passing & self.passes[place])
                    narrower = grown.passing != rule.passing
                    if grown.failing.bit_count() >= LEAST and (narrower or not rule.facts):
                        longer[key] = grown
            scored = sorted((self.bits([*rules, r]), key, r) for key, r in longer.items())[:BEAM] if longer else []
            if scored and (best is None or scored[0][:2] < best[:2]):
                best = scored[0]
            beam = [rule for _, _, rule in scored]
        return best[2] if best else None

    def without_idle(self, rules: list[_Rule]) -> list[_Rule]:
        """The rules without those that later ones have made idle."""
        for rule in list(rules):
            fewer = [r for r in rules if r is not rule]
            if fewer and self.bits(fewer) <= self.bits(rules):
                rules = fewer
        return rules

    def assigned(self, rules: Sequence[_Rule]) -> list[Situation]:
        left, found = self.all_fails, []
        for rule in sorted(rules, key=lambda r: (-r.failing.bit_count(), r.facts)):
            if own := rule.failing & left:
                left &= ~own
                found.append(Situation(tuple(self.names[i] for i in rule.facts), _places(own)))
        if left:
            found.append(Situation((), _places(left)))
        return found


def _exceptions(failing: int, passing: int) -> float:
    """Bits that say which of so many problems fail."""
    total = failing + passing
    if not total:
        return 0.0
    return math.log2(total + 1) + (
        math.lgamma(total + 1) - math.lgamma(failing + 1) - math.lgamma(passing + 1)
    ) / math.log(2)


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _places(bits: int) -> tuple[int, ...]:
    return tuple(i for i in range(bits.bit_length()) if bits >> i & 1)
