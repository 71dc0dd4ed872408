"""The one way from a problem to findings: every run, search and reduction goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from xent_conformance.calling.calls import LostError
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.stray_reads import explained
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.problem import Problem
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sources import Listed
from xent_conformance.strategies.streams import Stream, recipes_of

if TYPE_CHECKING:
    from xent_conformance.requirements.registry import Requirement
    from xent_conformance.strategies.sources import Source


def trials(subject: Subject, source: Source, settings: Settings) -> Iterator[Trial]:
    """The problems of a source that lie within a subject's claims, each as a trial."""
    if isinstance(source, Stream):
        recipes = recipes_of(source, subject.dtype, settings.draw(source, subject))
        drawn: Iterator[tuple[Problem, Recipe | None]] = (
            (recipe.build(subject.dtype, subject.capabilities), recipe) for recipe in recipes
        )
    else:
        assert isinstance(source, Listed)
        drawn = ((problem, None) for problem in settings.share(source, subject))
    for example, (problem, recipe) in enumerate(drawn):
        within = problem if source.foreign_labels else subject.within_claims(problem)
        if within is not None:
            yield Trial(subject, within, recipe=recipe, example=example)


def judge(
    requirement: Requirement, trial: Trial, passed_over: Callable[[Problem], bool] = lambda _: False
) -> Iterator[tuple[Trial, list[Finding]]]:
    """What a requirement's check comes to on a drawn problem, or on each of those that it derives from it.

    Problems of which ``passed_over`` says so are not judged.
    """
    if requirement.derive is None:
        if not passed_over(trial.problem):
            yield trial, findings(requirement, trial)
        return
    shared: dict[Any, Any] = trial.shared
    key = ("derived", requirement.derive)
    if key not in shared:
        # Other requirements, and other subjects with the same claims, are judged on the same problems.
        shared[key] = [(problem, {}) for problem in requirement.derive(trial.problem)]
    for problem, answers in shared[key]:
        if not trial.subject.takes(problem) or passed_over(problem):
            continue
        derived = Trial(trial.subject, problem, answers, recipe=trial.recipe, example=trial.example)
        yield derived, findings(requirement, derived)


def findings(requirement: Requirement, trial: Trial) -> list[Finding]:
    """What a requirement's check comes to on exactly this problem."""
    made: list[Finding] = []
    try:
        # Overflow and nan are what many problems are about; NumPy's remarks on them are not for our users.
        with np.errstate(all="ignore"):
            made.extend(explained(trial, finding) for finding in requirement.check(trial))
    except SpoiledError as spoiled:
        made.append(spoiled.finding)
    except LostError as lost:
        made.append(Lost.of(lost))
    return made


def fails(requirement: Requirement, trial: Trial) -> bool:
    """Whether a requirement fails on a drawn problem, or on one of those that it derives from it."""
    return any(finding.failed for _, found in judge(requirement, trial) for finding in found)
