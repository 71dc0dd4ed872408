"""Profiles: how many problems of each source are judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.strategies.sources import Listed
from xent_conformance.strategies.streams import Draw, Stream, derived_seed


@dataclass(frozen=True)
class Profile:
    """How much is judged for each dtype.

    ``examples`` is the number of problems from a stream of budget 1, ``enumerated`` the share of every fixed list of
    problems, and ``least`` the fewest that are judged of any stream or list. ``shapes`` is the number of different
    shapes for a backend that compiles each.
    """

    examples: int
    least: int
    enumerated: float
    shapes: int


#: The profile whose problems take gigabytes and minutes. It judges only the family of the same name.
OPT_IN = "scale"
PROFILES = {
    "quick": Profile(examples=16, least=4, enumerated=1 / 16, shapes=1),
    "default": Profile(examples=400, least=8, enumerated=1.0, shapes=4),
    "thorough": Profile(examples=1200, least=8, enumerated=1.0, shapes=6),
    OPT_IN: Profile(examples=0, least=0, enumerated=1.0, shapes=4),
}
#: Share of the examples for backends that compile every shape.
STATIC_SHARE = 0.5


@dataclass(frozen=True)
class Settings:
    """The profile and the seed of a run."""

    profile: str = "default"
    seed: int = 0

    def draw(self, stream: Stream, subject: Subject) -> Draw:
        """How many problems of a stream a subject is judged on, and with which seed."""
        static = subject.capabilities.static_shapes
        profile = PROFILES[self.profile]
        count = profile.examples * stream.budget * (STATIC_SHARE if static else 1)
        return Draw(self.seed, max(profile.least, round(count)), profile.shapes if static else None)

    def share(self, source: Listed, subject: Subject) -> Iterable[Problem]:
        """The share of a fixed list that the profile takes: one problem from each of equal stretches, by the seed.

        For a backend that compiles every shape, only problems with the shape of the first are taken.
        """
        profile = PROFILES[self.profile]
        if profile.enumerated == 1:
            return source(subject)
        listed = list(source(subject))
        if subject.capabilities.static_shapes:
            listed = [p for p in listed if p.logits.shape == listed[0].logits.shape]
        count = max(min(profile.least, len(listed)), round(profile.enumerated * len(listed)))
        ends = np.linspace(0, len(listed), count + 1).astype(int)
        rng = np.random.default_rng(derived_seed(self.seed, subject.dtype))
        return [listed[int(rng.integers(*stretch))] for stretch in pairwise(ends)]
