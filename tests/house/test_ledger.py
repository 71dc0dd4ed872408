"""Ids of requirements: each is in the ledger, none disappears from it, none is used again."""

import json
from pathlib import Path

from packaging.version import Version

from xent_conformance import __version__
from xent_conformance.header import catalogued
from xent_conformance.requirements.ledger import ledger, since
from xent_conformance.requirements.registry import load

ROOT = Path(__file__).resolve().parents[2]


def test_the_ledger_lists_exactly_the_requirements_that_are_not_retired():
    current = {identifier for identifier, entry in ledger().items() if entry.retired is None}
    assert current == set(load()), "a new id needs a line in ledger.toml, a removed one `retired = VERSION`"


def test_no_published_id_is_missing_from_the_ledger():
    with (ROOT / "reports" / "published" / "record.jsonl").open(encoding="utf-8") as file:
        published = json.loads(file.readline())["requirements"]
    assert {requirement["id"] for requirement in published} <= set(ledger())


def test_versions_of_the_ledger_are_in_order():
    for identifier, entry in ledger().items():
        assert Version(entry.since) <= Version(__version__), identifier
        assert entry.retired is None or Version(entry.since) < Version(entry.retired), identifier


def test_the_catalogue_says_since_when_a_requirement_is_there():
    for requirement in load().values():
        assert catalogued(requirement).since == since(requirement.id) != ""


def test_a_module_of_requirements_has_one_family_and_its_name():
    for requirement in load().values():
        module = requirement.check.__module__.rpartition(".")[2]
        assert f"{module}_".startswith(f"test_{requirement.family}_"), f"{requirement.id} is in {module}"
