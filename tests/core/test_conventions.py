"""Every disputed question is asked in full, and a record says what the usual answer is."""

from dataclasses import fields

import jsonschema
import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.conventions import BEHAVIOUR, QUESTIONS, UNDOCUMENTED, Conventions, described
from xent_conformance.formats import FLOATING
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.plain import as_data
from xent_conformance.records.schema import schema
from xent_conformance.requirements.registry import load
from xent_conformance.session import Request, Session


def test_every_field_has_a_question_and_every_question_a_field():
    assert list(QUESTIONS) == [f.name for f in fields(Conventions) if f.name not in ("documentation", "basis")]
    assert all(question.endswith(".") and len(question) > 20 for question in QUESTIONS.values())


def test_the_header_of_a_record_carries_them():
    header = Session.open(Request(("numpy",), "quick", only=("accuracy.loss",))).header()
    assert as_data(header.conventions) == described()
    assert header.conventions["all_ignored_gradient"].default == "zero"
    jsonschema.Draft202012Validator(schema()).validate(as_data(header))


def test_what_a_choice_rests_on_is_its_basis_its_documentation_or_nothing():
    chosen = Conventions(
        all_ignored_loss="zero",
        mean_divisor="valid_rows",
        output_dtype="float32",
        documentation={"mean_divisor": "https://x.org", "empty_batch_loss": "https://x.org"},
        basis={"all_ignored_loss": BEHAVIOUR, "invalid_label": BEHAVIOUR},
    )
    found = {"all_ignored_loss": BEHAVIOUR, "mean_divisor": "https://x.org", "output_dtype": UNDOCUMENTED}
    assert chosen.differing() == found
    assert chosen.undocumented() == ["output_dtype"]


class AtLeastFloat32(NumpyTwin):
    """Half formats give a loss in float32, or with ``always`` so does float64."""

    claims = dict.fromkeys(("conventions",), Conventions(output_dtype="at_least_float32"))
    always = False

    def loss(self, call):
        loss = super().loss(call)
        return loss.astype(np.float32) if self.always or loss.dtype.itemsize == 2 else loss


class AlwaysFloat32(AtLeastFloat32):
    always = True


@pytest.mark.parametrize(("kind", "wrong"), [(AtLeastFloat32, set()), (AlwaysFloat32, {"float64"})])
def test_a_loss_is_held_to_the_dtype_that_is_declared_for_each_format(kind, wrong):
    required, backend = load()["dtypes.output"], kind()
    failing = set()
    for dtype in FLOATING:
        problem = Problem(np.zeros((2, 3), dtype), np.zeros(2, np.int64), reduction="sum")
        found = findings(required, Trial(Subject.of(backend, dtype), problem))
        failing |= {dtype} if any(finding.failed for finding in found) else set()
    assert failing == wrong
