"""Profiles: how many problems of each source are judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.strategies.sources import Listed, Source
from xent_conformance.strategies.streams import OTHER_RANKS, Draw, Stream, derived_seed


@dataclass(frozen=True)
class Profile:
    """How much is judged for each dtype.

    ``examples`` is the number of problems from a stream of budget 1, ``enumerated`` the share of every fixed list of
    problems, and ``least`` the fewest that are judged of any stream or list. ``shapes`` is the number of different
    shapes for a backend that compiles each. ``compilations`` is the most that a run makes, for all dtypes together, if
    their cost is known, and ``seconds`` the time they may take; ``FEWEST`` of them are made in any case. Reducing and
    explaining all failures of a verdict may take ``reducing`` seconds. Only where each call takes long is that less
    than the tries that are allowed, which do not depend on how busy the machine is.
    """

    examples: int
    least: int
    enumerated: float
    shapes: int
    compilations: int
    seconds: float
    reducing: float


#: Seconds for reducing the failures of a verdict where a run is not expected to be quick.
PATIENT = 90.0
#: The profile whose problems take gigabytes and minutes. It judges only the family of the same name.
OPT_IN = "scale"
#: The dtype that is judged first, and most.
EXEMPLARY = "float32"
PROFILES = {
    "quick": Profile(examples=16, least=4, enumerated=1 / 16, shapes=1, compilations=40, seconds=60, reducing=8.0),
    "default": Profile(examples=400, least=8, enumerated=1.0, shapes=4, compilations=150, seconds=600, reducing=30.0),
    "thorough": Profile(
        examples=1200, least=8, enumerated=1.0, shapes=6, compilations=450, seconds=1800, reducing=PATIENT
    ),
    OPT_IN: Profile(examples=0, least=0, enumerated=1.0, shapes=4, compilations=150, seconds=600, reducing=PATIENT),
}
#: Share of the examples for backends that compile every shape.
STATIC_SHARE = 0.5
#: Most of their examples of a stream that is about sizes, for the dtype that is judged most and for others. They are 2
#: or 3 of each shape, since in one of them a fault may not show.
STATIC_SIZES, OF_OTHER_DTYPES = 20, 8
#: The fewest compilations of a run, however long they take.
FEWEST = 12
#: Seconds that the compilations of reducing one failure may take, and those of explaining it, and the fewest of each.
SECONDS_OF_A_CAUSE, FEWEST_OF_A_CAUSE = 20.0, 6
#: Of compilations that take less than so many seconds there are so many times as many. One step, and no number that
#: depends on the measured time: runs are to have the same problems.
CHEAP, MORE_OF_CHEAP = 0.15, 4
#: If compilations are limited, problems are chosen from at least this many recipes.
CHOICE = 128


def foremost_of(dtypes: Sequence[str]) -> str:
    """The dtype that is judged most."""
    return EXEMPLARY if EXEMPLARY in dtypes else dtypes[0]


@dataclass(frozen=True)
class Settings:
    """The profile and the seed of a run."""

    profile: str = "default"
    seed: int = 0

    def reducing(self, subject: Subject) -> float:
        """Seconds for reducing and explaining all failures of a verdict; compilations have a limit of their own."""
        return PROFILES[self.profile].reducing if subject.compilations is None else PATIENT

    def draw(self, stream: Stream, subject: Subject) -> Draw:
        """How many problems of a stream a subject is judged on, and with which seed."""
        static, dtypes = subject.capabilities.static_shapes, subject.capabilities.logits_dtypes
        profile = PROFILES[self.profile]
        shapes, count = profile.shapes, profile.examples * stream.budget * (STATIC_SHARE if static else 1)
        if static and stream.about_sizes:
            # All levels unless the profile is quick; of other dtypes fewer than of streams about options.
            foremost = subject.dtype == foremost_of(dtypes)
            shapes = 2 * shapes - 1 if foremost else max(1, shapes // 2)
            count = min(count, STATIC_SIZES if foremost else OF_OTHER_DTYPES)
        pool = shapes if static else None
        if subject.compilations is not None:
            if static and stream.about_sizes:
                # A shape of each level: ``pool`` takes few programs of them.
                pool = len(stream.menu()["shape"])
            ranks = tuple(level for level in OTHER_RANKS if getattr(subject.capabilities, level))
            return Draw(self.seed, max(self.most(stream), CHOICE), pool, shared=True, ranks=ranks)
        return Draw(self.seed, max(profile.least, round(count)), pool)

    def most(self, source: Source) -> int:
        """How many problems of a source are judged if compilations are limited.

        The share for backends that compile every shape does not apply, because problems that need no new compilation
        take little time.
        """
        profile = PROFILES[self.profile]
        share = source.budget if isinstance(source, Stream) else 1.0
        return max(profile.least, round(profile.examples * share))

    def compilations(self, claims: Capabilities) -> int:
        """How many compilations a run may make, by the time that one takes; 0 if their time is not known."""
        if not claims.compile_seconds:
            return 0
        profile = PROFILES[self.profile]
        most = profile.compilations * (MORE_OF_CHEAP if claims.compile_seconds < CHEAP else 1)
        return max(FEWEST, min(most, int(profile.seconds / claims.compile_seconds)))

    def compilations_of_a_cause(self, claims: Capabilities) -> int:
        """How many compilations reducing one failure, and explaining it, may each make, by the time that one takes."""
        return max(FEWEST_OF_A_CAUSE, int(SECONDS_OF_A_CAUSE / claims.compile_seconds))

    def compilations_for(self, dtype: str, dtypes: Sequence[str], claims: Capabilities) -> int:
        """The compilations for one of the judged dtypes: half of all for float32 (or the first dtype without it)."""
        every = self.compilations(claims)
        others = len(dtypes) - 1
        shared = every // 2 if others else 0
        return every - shared if dtype == foremost_of(dtypes) else shared // others

    def share(self, source: Listed, subject: Subject) -> Iterable[Problem]:
        """The share of a fixed list that the profile takes: one problem from each of equal stretches, by the seed.

        It is a share of the problems with as few rows as are claimed. For a backend that compiles every shape, only
        problems with the shape of the first are taken.
        """
        profile = PROFILES[self.profile]
        within = (problem for problem in source(subject) if subject.takes_rows(problem.rows))
        if profile.enumerated == 1 or subject.compilations is not None:
            return within
        listed = list(within)
        if subject.capabilities.static_shapes:
            listed = [p for p in listed if p.logits.shape == listed[0].logits.shape]
        least = profile.least if source.least is None else source.least
        count = max(min(least, len(listed)), round(profile.enumerated * len(listed)))
        ends = np.linspace(0, len(listed), count + 1).astype(int)
        rng = np.random.default_rng(derived_seed(self.seed, subject.dtype))
        return [listed[int(rng.integers(*stretch))] for stretch in pairwise(ends)]
