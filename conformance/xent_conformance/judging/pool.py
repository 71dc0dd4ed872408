"""The programs of a backend that compiles, chosen before anything is judged: those that most requirements can use.

A program is a shape with a set of options. The first one has every option at once, because faults of two options show
there. The next has many classes, with as many options as there are. Then come the other claimed ranks of logits, with a
mean, whose divisor is a frequent fault of such logits, and then even more classes, and many rows.
Each further one has the most pairs of choices that no other has, counted for every source by itself and weighted by the
number of its requirements. Problems of all sources then come from this pool, and what is left of the compilations is
for calls that requirements compare them with.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from xent_conformance.judging.judge import problems_within
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import choices_of, pairs_of, rows_that_count
from xent_conformance.judging.subject import Subject
from xent_conformance.strategies.sources import Source
from xent_conformance.subproblems import MATRIX

#: One program of the pool for so many compilations: each is needed for the loss and for the gradient, and as many calls
#: are compared with it.
SHARE = 4

#: Axes of the logits and sizes from which on these are many. Kernels divide classes, and rows, into blocks, so that the
#: pool has a program of each, where there is one.
LARGE = ((1, 1 << 9), (1, 1 << 12), (0, 1 << 12))

Pairs = set[Hashable]


def choose(subject: Subject, requirements: Mapping[Source, int], settings: Settings) -> None:
    """Choose the pool of a subject whose compilations are limited, from each source and its number of requirements.

    The sources are then those that are still to be judged.
    """
    programs = subject.compilations
    assert programs is not None
    programs.sources = len(requirements)
    wanted: dict[Hashable, dict[Source, Pairs]] = {}
    left: dict[Source, Pairs] = {}
    telling: dict[Hashable, bool] = {}
    for source in requirements:
        for drawn in problems_within(subject, source, settings):
            key, counts = choices_of(drawn.problem, programs), rows_that_count(drawn.problem)
            if drawn.recipe is not None and not counts:
                continue
            if counts:
                telling[key] = telling.get(key, False) or drawn.recipe is not None
            if source not in wanted.setdefault(key, {}):
                wanted[key][source] = pairs_of(key)
                left.setdefault(source, set()).update(wanted[key][source])
    sizes = {source: len(pairs) for source, pairs in left.items()}

    def worth(key: Hashable) -> float:
        shares = ((source, len(pairs & left[source]) / sizes[source]) for source, pairs in wanted[key].items())
        alike = sum(_rank(other) == _rank(key) != MATRIX for other in programs.pool)
        return sum(requirements[source] * share for source, share in shares) / (1 + alike)

    first = _first(telling)
    for _ in range(min(len(wanted), max(1, programs.most // SHARE))):
        some = [key for key in next(first, wanted) if key not in programs.pool]
        best = max(some or [key for key in wanted if key not in programs.pool], key=worth)
        programs.pool.append(best)
        for source, pairs in wanted[best].items():
            left[source] -= pairs


def _first(keys: Mapping[Hashable, bool]) -> Iterator[list[Hashable]]:
    """Sets of programs, of each of which the pool has one: those with most options, of any size and with many classes,
    then a mean of each other rank, and again most options, of even more classes and of many rows.

    ``keys`` are programs, and whether a problem of a stream needs them.
    """
    flat = [key for key in keys if _rank(key) == MATRIX]
    # Where one program is for all shapes, no size needs one.
    sized = [key for key in flat if keys[key] and _has_labels(key) and _of(key)["logits"] is not None]
    large = [[key for key in sized if _of(key)["logits"][axis] >= least] for axis, least in LARGE]
    yield _with_most_options(flat)
    yield _with_most_options(large[0])
    for rank in dict.fromkeys(_rank(key) for key in keys if _rank(key) != MATRIX):
        # With probability targets, or smoothed altogether, a problem may have weights of zero alone.
        labelled = [key for key in keys if _rank(key) == rank and _of(key)["label_smoothing"] < 1 and _has_labels(key)]
        yield [key for key in labelled if _of(key)["reduction"] == "mean"] or labelled
    yield from map(_with_most_options, large[1:])


def _with_most_options(keys: Sequence[Hashable]) -> list[Hashable]:
    most = max(map(_options, keys), default=0)
    return [key for key in keys if _options(key) >= most]


def _rank(key: Hashable) -> int:
    """The number of dimensions of the logits; for spatial ones 3 if there may be several places, and otherwise 2."""
    choices = _of(key)
    shape, rank = choices["logits"], int(choices["rank"])
    if shape is None:  # one program is for all
        return min(rank, MATRIX + 1)
    return MATRIX + (math.prod(shape[MATRIX:]) > 1) if len(shape) > MATRIX else len(shape)


def _has_labels(key: Hashable) -> bool:
    """Whether the targets of a program are class indices."""
    return "float" not in _of(key)["target"][0]


def _of(key: Hashable) -> dict[str, Any]:
    """The choices of a program by name."""
    assert isinstance(key, tuple)
    return dict(key)


def _options(key: Hashable) -> int:
    """How many of the options a program has that a fault may combine: weight, smoothing, an ignored class, a mean."""
    choices = _of(key)
    partly = 0 < choices["label_smoothing"] < 1
    return sum((choices["weight"], partly, choices["ignore_index"] is not None, choices["reduction"] == "mean"))
