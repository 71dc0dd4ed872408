"""Every disputed question is asked in full, and a record says what the usual answer is."""

import jsonschema

from xent_conformance.conventions import QUESTIONS, Conventions, described
from xent_conformance.records.plain import as_data
from xent_conformance.records.schema import schema
from xent_conformance.session import Request, Session


def test_every_field_has_a_question_and_every_question_a_field():
    assert list(QUESTIONS) == list(Conventions().choices())
    assert all(question.endswith(".") and len(question) > 20 for question in QUESTIONS.values())


def test_the_header_of_a_record_carries_them():
    header = Session.open(Request(("numpy",), "quick", only=("accuracy.loss",))).header()
    assert as_data(header.conventions) == described()
    assert header.conventions["all_ignored_gradient"].default == "zero"
    jsonschema.Draft202012Validator(schema()).validate(as_data(header))
