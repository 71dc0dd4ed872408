"""Requirements about threads make fewer calls of a callable whose calls are slow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.registry import load


@pytest.mark.parametrize(("most", "rows", "rounds"), [(None, 64, 20), (600, 6, 2), (10, 4, 2), (3, 3, 2)])
def test_threads_make_few_calls_where_calls_are_slow(monkeypatch, most, rows, rounds):
    """Together they have no more rows than one call may have, if each thread is to make two calls at least."""
    made, together = [], LocalExecutor.together

    def counted(executor, calls, often):
        made.append(often)
        return together(executor, calls, often)

    monkeypatch.setattr(LocalExecutor, "together", counted)
    claims = replace(NumpyBackend().capabilities, max_rows=most)
    subject, requirement = Subject.of(NumpyBackend(capabilities=claims), "float32"), load()["purity.threads-large"]
    (problem,) = requirement.source(subject)
    assert problem.rows == rows
    assert not any(finding.failed for finding in findings(requirement, Trial(subject, problem)))
    assert set(made) == {rounds}
