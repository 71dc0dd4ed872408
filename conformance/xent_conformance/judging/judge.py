"""Applies the checks of requirements to problems. Every run, search and reduction uses these functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xent_conformance.calling.calls import LostError
from xent_conformance.calling.compilations import NotCompiledError
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import Drawn, settled, with_few_programs
from xent_conformance.judging.stray_reads import Examined, explained
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.problem import Problem
from xent_conformance.strategies.operand_dtypes import LABEL_DTYPES
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sources import Listed
from xent_conformance.strategies.streams import Stream, recipes_of

if TYPE_CHECKING:
    from xent_conformance.requirements.registry import Requirement
    from xent_conformance.strategies.sources import Source


def trials(subject: Subject, source: Source, settings: Settings) -> Iterator[Trial]:
    """The problems of a source that are within a subject's claims, each as a trial.

    If the subject's compilations are limited, problems are chosen that need few of them (see ``programs``).
    """
    within, programs = problems_within(subject, source, settings), subject.compilations
    if programs is not None:
        within = with_few_programs(within, programs, settings.most(source))
    for drawn in within:
        yield Trial(subject, drawn.problem, recipe=drawn.recipe, example=drawn.example)


def problems_within(subject: Subject, source: Source, settings: Settings) -> Iterator[Drawn]:
    """The problems of a source that are within a subject's claims, with usual options if compilations are limited."""
    if isinstance(source, Stream):
        recipes = recipes_of(source, subject.dtype, settings.draw(source, subject))
        drawn: Iterator[tuple[Problem, Recipe | None]] = (
            (recipe.build(subject.dtype, subject.capabilities), recipe) for recipe in recipes
        )
    else:
        assert isinstance(source, Listed)
        drawn = ((problem, None) for problem in settings.share(source, subject))
    for example, (problem, recipe) in enumerate(drawn):
        # ``share`` and ``build`` have limited the rows already.
        within = problem if source.foreign_labels else subject.within_claims(problem)
        if within is not None and recipe is not None and subject.compilations is not None:
            within = settled(within, subject.compilations, subject.capabilities, labels=source is not LABEL_DTYPES)
        if within is not None:
            yield Drawn(example, within, recipe)


def judge(
    requirement: Requirement, trial: Trial, skipped: Callable[[Problem], bool] = lambda _: False
) -> Iterator[tuple[Trial, list[Finding]]]:
    """The findings of a requirement's check on a drawn problem, or on each problem that it derives from that.

    Problems for which ``skipped`` is true are not judged.
    """
    if requirement.derive is None:
        if not skipped(trial.problem):
            yield trial, findings(requirement, trial)
        return
    shared: dict[Any, Any] = trial.shared
    key = ("derived", requirement.derive)
    if key not in shared:
        # Shared with other requirements, and with other subjects that have the same claims.
        shared[key] = [(problem, {}) for problem in requirement.derive(trial.problem)]
    for problem, answers in shared[key]:
        if not trial.subject.takes(problem) or skipped(problem):
            continue
        derived = Trial(trial.subject, problem, answers, recipe=trial.recipe, example=trial.example, like=trial)
        yield derived, findings(requirement, derived)


def findings(requirement: Requirement, trial: Trial, *, examine: bool = True) -> list[Finding]:
    """The findings of a requirement's check on exactly this problem.

    Args:
        requirement: The requirement.
        trial: The problem, and the backend that is given it.
        examine: Whether to look for a stray read behind each wrong number, which takes two more calls at least.
    """
    made: list[Finding] = []
    examined: Examined = {}
    try:
        # Many problems overflow or contain nan on purpose; NumPy's warnings about that are of no use.
        with np.errstate(all="ignore"):
            made.extend(explained(trial, f, examined) if examine else f for f in requirement.check(trial))
    except SpoiledError as spoiled:
        made.append(spoiled.finding)
    except LostError as lost:
        made.append(Lost.of(lost))
    except NotCompiledError:
        # Findings of earlier comparisons of this check remain valid.
        pass
    return made


def fails(requirement: Requirement, trial: Trial) -> bool:
    """Whether a requirement fails on a drawn problem, or on one that it derives from that."""
    return any(finding.failed for _, made in judge(requirement, trial) for finding in made)
