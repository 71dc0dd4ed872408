"""Every disputed question is asked in full, and a record says what the usual answer is."""

from dataclasses import fields

import jsonschema

from xent_conformance.conventions import BEHAVIOUR, QUESTIONS, UNDOCUMENTED, Conventions, described
from xent_conformance.records.plain import as_data
from xent_conformance.records.schema import schema
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
