"""Failures whose inputs are too long to be written out."""

import msgspec

from mutants.untuned_backward import SecondLaunchOfLargeGradients
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.records.record import MAX_LINE
from xent_conformance.requirements.registry import load
from xent_conformance.witnesses.reduction import Witness
from xent_conformance.witnesses.witness import failure


def test_a_failure_with_millions_of_elements_fits_into_a_line_of_a_record():
    requirement = load()["gradients.large-call"]
    subject = Subject.of(SecondLaunchOfLargeGradients("second-launch", ("float32",)), "float32")
    trial, *_ = trials(subject, requirement.source, Settings())
    (finding,) = [f for _, found in judge(requirement, trial) for f in found if f.failed]
    line = failure(requirement, subject, Witness(trial.problem, finding), Settings())
    assert len(msgspec.json.encode(line)) < MAX_LINE
    compile(line.reproducer, "script", "exec")
    assert "'--only', 'gradients.large-call'" in line.reproducer
