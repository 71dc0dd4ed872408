"""Every requirement can be explained, by paragraphs and conventions that exist."""

from xent_conformance.conventions import QUESTIONS
from xent_conformance.explain import conventions_in, explanation, semantics
from xent_conformance.requirements.registry import load
from xent_conformance.spec import FAMILIES, SECTIONS


def test_every_family_has_a_heading_and_the_paragraphs_that_it_is_about():
    families = {requirement.family for requirement in load().values()}
    assert families <= set(FAMILIES)
    assert families <= set(SECTIONS)
    assert {number for numbers in SECTIONS.values() for number in numbers} <= set(semantics())


def test_every_requirement_is_explained_with_its_whole_docstring_and_all_its_references(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for requirement in load().values():
        text = explanation(requirement)
        words = " ".join(text.split())
        assert " ".join(requirement.check.__doc__.split()) in words, requirement.id
        assert all(link in text for link in requirement.references)
        assert all(need.name in words for need in requirement.needs)


def test_every_convention_decides_some_requirement():
    registry = load()
    decided = {name for requirement in registry.values() for name in conventions_in(requirement)}
    assert decided == set(QUESTIONS)
    assert conventions_in(registry["conventions.zero-times-infinity"]) == ["zero_times_infinity"]
    assert conventions_in(registry["dtypes.output"]) == ["output_dtype"]
    assert conventions_in(registry["identities.softplus"]) == []
