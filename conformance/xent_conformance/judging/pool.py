"""The programs of a backend that compiles, chosen before anything is judged: those that most requirements can use.

A program is a shape with a set of options. The first one has every option at once, because faults of two options show
there; each further one has the most pairs of choices that no other has, counted for every source by itself and
weighted by the number of its requirements. Problems of all sources then come from this pool, and what is left of the
compilations is for calls that requirements compare them with.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from xent_conformance.judging.judge import problems_within
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import choices_of, pairs_of, rows_that_count
from xent_conformance.judging.subject import Subject
from xent_conformance.strategies.sources import Source

#: One program of the pool for so many compilations: each is needed for the loss and for the gradient, and as many calls
#: are compared with it.
SHARE = 4

Pairs = set[Hashable]


def choose(subject: Subject, requirements: Mapping[Source, int], settings: Settings) -> None:
    """Choose the pool of a subject whose compilations are limited, from each source and its number of requirements."""
    programs = subject.compilations
    assert programs is not None
    wanted: dict[Hashable, dict[Source, Pairs]] = {}
    left: dict[Source, Pairs] = {}
    for source in requirements:
        for drawn in problems_within(subject, source, settings):
            key = choices_of(drawn.problem)
            if drawn.recipe is not None and not rows_that_count(drawn.problem):
                continue
            if source not in wanted.setdefault(key, {}):
                wanted[key][source] = pairs_of(key)
                left.setdefault(source, set()).update(wanted[key][source])
    sizes = {source: len(pairs) for source, pairs in left.items()}

    def worth(key: Hashable) -> float:
        shares = ((source, len(pairs & left[source]) / sizes[source]) for source, pairs in wanted[key].items())
        return sum(requirements[source] * share for source, share in shares)

    for number in range(min(len(wanted), max(1, programs.most // SHARE))):
        most = max(map(_options, wanted)) if not number else 0
        best = max((key for key in wanted if key not in programs.pool and _options(key) >= most), key=worth)
        programs.pool.append(best)
        for source, pairs in wanted[best].items():
            left[source] -= pairs


def _options(key: Hashable) -> int:
    """How many of the options a program has that a fault may combine: weight, smoothing, an ignored class, a mean."""
    assert isinstance(key, tuple)
    choices = dict(key)
    partly = 0 < choices["label_smoothing"] < 1
    return sum((choices["weight"], partly, choices["ignore_index"] is not None, choices["reduction"] == "mean"))
