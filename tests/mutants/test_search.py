"""Searching for kills beside the twin finds what judging every mutant alone finds, however the work is divided."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from mutants.catalogue import Mutant, all_mutants
from mutants.numpy_twin import NumpyTwin
from xent_conformance import cli
from xent_conformance.detection import baselines as measured
from xent_conformance.detection import kill_tasks
from xent_conformance.detection.kill_budget import spent
from xent_conformance.detection.kill_matrix import Matrix
from xent_conformance.detection.kill_search import families, search
from xent_conformance.detection.kill_twins import comparable, replaced
from xent_conformance.detection.kills import Corpus, kills
from xent_conformance.judging.profiles import Settings
from xent_conformance.loading.errors import UsageError
from xent_conformance.requirements.registry import Level, grouped, load

MUTANTS = {mutant.name: mutant for mutant in all_mutants()}
GROUPS = grouped(r for r in load().values() if r.level is not Level.OBSERVED and not r.opt_in)
#: Of every kind: that keep something from call to call, write over inputs, refuse, claim several dtypes, are on torch.
SOME = (
    "first-call-tunes",
    "third-call-differs",
    "weights-cached-by-length",
    "scratch-keeps-old-lanes",
    "gradient-in-random-order",
    "draws-from-the-global-generator",
    "odd-block-left-out-of-the-tree",
    "zero-loss-skips-backward",
    "unknown-reduction-is-mean",
    "hessian-is-zero",
    "class-stride-taken-for-one",
    "torch-target-gradient-is-zero",
)
#: Each of them meets one source in so many, and each source several of them.
EVERY = 6


def met(name):
    """The groups that a mutant is searched in: its share of all, and those that are declared to kill it."""
    first, killers = SOME.index(name) % EVERY, MUTANTS[name].killed_by
    for number, group in enumerate(GROUPS.values()):
        if number % EVERY == first or any(r.id in killers for r in group):
            yield group


def test_every_source_is_met_by_mutants_of_which_some_die():
    groups = [id(group) for name in SOME for group in met(name)]
    assert {id(group) for group in GROUPS.values()} == {*groups}
    assert len(groups) >= len(SOME) // EVERY * len(GROUPS)


@pytest.mark.parametrize("name", SOME)
def test_the_search_finds_what_plain_judging_finds(name):
    mutant, settings = MUTANTS[name], Settings("quick", 3)
    assert any(r.id in mutant.killed_by for group in met(name) for r in group)
    for group in met(name):
        found = search(families([mutant]), group, settings)
        plain = kills(mutant.backend(), group, Corpus(settings))
        assert {identifier: examples for (_, identifier), examples in found.kills.items()} == plain
        assert not found.twins


def made(kind, twin=NumpyTwin):
    """A mutant that is not in the catalogue."""
    return Mutant("made", "", "", "", (), lambda: kind("made", ("float32",)), lambda: twin("twin", ("float32",)), True)


def test_a_requirement_that_fails_on_the_twin_is_named_and_judged_on_the_mutant():
    class WrongTwin(NumpyTwin):
        def row_losses(self, call):
            return super().row_losses(call) + 1

    class Half(WrongTwin):
        def row_losses(self, call):
            return super().row_losses(call) / 2

    group = next(g for g in GROUPS.values() if any(r.id == "accuracy.loss" for r in g))
    found = search(families([made(Half, WrongTwin)]), group, Settings("quick", 0))
    assert ("twin", "accuracy.loss") in found.twins
    assert ("made", "accuracy.loss") in found.kills


def test_what_a_mutant_replaces_is_known_only_where_it_changes_nothing_but_methods():
    class Steps(NumpyTwin):
        def class_sum(self, exponentials):
            return exponentials.sum(axis=1, keepdims=True)

    class Stored(NumpyTwin):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.device = "elsewhere"
            self.capabilities = NumpyTwin("x", ("float64",)).capabilities

    class Dunder(NumpyTwin):
        def __getattribute__(self, name):
            return super().__getattribute__(name)

    twin = NumpyTwin("twin", ("float32",))
    assert replaced(Steps("made", ("float32",)), twin) == {NumpyTwin.class_sum.__code__}
    assert replaced(Stored("made", ("float32",)), twin) is None
    assert replaced(Dunder("made", ("float32",)), twin) is None
    assert comparable(Steps("made", ("float32",)), twin)
    assert not comparable(Stored("made", ("float32",)), twin)


def test_a_mutant_that_claims_something_else_than_its_twin_is_judged_alone():
    class Narrow(NumpyTwin):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.capabilities = NumpyTwin("x", ("float64",)).capabilities

        def row_losses(self, call):
            return np.abs(super().row_losses(call)) + 1

    group = next(g for g in GROUPS.values() if any(r.id == "accuracy.loss" for r in g))
    found = search(families([made(Narrow)]), group, Settings("quick", 0))
    assert found.kills == {
        ("made", identifier): examples
        for identifier, examples in kills(made(Narrow).backend(), group, Corpus(Settings("quick", 0))).items()
    }
    assert found.kills


#: Streams and lists, some of which kill the two mutants of the command below.
SOURCES = ("weighted", "smoothed", "square", "every lane", "cotangents", "exact labels", "plain calls", "views")


@pytest.fixture
def few(monkeypatch):
    """Matrices are of few sources, without what other generators find: how work is divided does not depend on it."""
    chosen = {name: kill_tasks.judged()[name] for name in SOURCES}
    monkeypatch.setattr(kill_tasks, "judged", lambda: chosen)
    monkeypatch.setattr(measured, "baselines", lambda _: {})


@pytest.fixture
def command():
    only = "zero-loss-skips-backward,odd-block-left-out-of-the-tree"
    return ["mutants", str(Path(__file__).parent), "--profile", "quick", "--seeds", "1", "--only", only, "--output"]


def without_seconds(path):
    matrix = json.loads(path.read_text("utf-8"))
    assert matrix.pop("seconds") >= 0  # whole seconds: a fast machine needs less than one
    return matrix


@pytest.mark.usefixtures("few")
def test_two_processes_and_work_that_was_cut_off_give_the_same_matrix(command, tmp_path, monkeypatch):
    one, two, cut = (tmp_path / f"{name}.json" for name in ("one", "two", "cut"))
    assert cli.main([*command, str(one)]) == cli.main([*command, str(two), "-n", "2"])
    assert (matrix := without_seconds(one)) == without_seconds(two)
    assert all(mutant["kills"] for mutant in matrix["mutants"])

    carried_out, asked = kill_tasks.carried_out, []

    def interrupted(plan, todo, workers):
        asked.append(len(todo))
        yield from itertools.islice(carried_out(plan, todo, workers), 3 if len(asked) == 1 else None)
        if len(asked) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(kill_tasks, "carried_out", interrupted)
    assert cli.main([*command, str(cut)]) == 3
    with cut.with_name("cut.json.part").open("a") as file:
        file.write('{"task": {"sou')
    cli.main([*command, str(cut), "--resume"])
    assert asked[1] == asked[0] - 3
    assert matrix == without_seconds(cut)
    assert not list(tmp_path.glob("*.part"))


def test_notes_of_another_plan_are_refused(command, tmp_path, capsys):
    (tmp_path / "m.json.part").write_text('{"profile": "default", "mutants": [], "requirements": []}\n')
    assert cli.main([*command, str(tmp_path / "m.json"), "--resume"]) == 2
    assert "is of other mutants" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()


def test_an_unknown_mutant_is_named(command, tmp_path, capsys):
    assert cli.main([*command, str(tmp_path / "m.json"), "--only", "nobody", "--only", min(MUTANTS)]) == 2
    assert "no mutant nobody in" in capsys.readouterr().err


def test_mutants_are_chosen_by_pattern_too():
    folder = str(Path(__file__).parent)
    every = {m.name for m in kill_tasks.planned(kill_tasks.Plan(folder))}
    name = min(every)
    chosen = {m.name for m in kill_tasks.planned(kill_tasks.Plan(folder, only=(f"{name[:4]}*",)))}
    assert chosen == {other for other in every if other.startswith(name[:4])}
    with pytest.raises(UsageError, match=f"no mutant {name}x in .* that a matrix judges; did you mean '{name}'"):
        kill_tasks.planned(kill_tasks.Plan(folder, only=(f"{name}x",)))


def test_a_plan_has_every_mutant_that_a_matrix_judges_and_its_budget_can_be_told():
    plan = kill_tasks.Plan(str(Path(__file__).parent), "default", ())
    judged = sorted((r for group in kill_tasks.judged().values() for r in group), key=lambda r: r.id)
    mutants = kill_tasks.planned(plan)
    left_out = {m.name: m.killed_by for m in MUTANTS.values() if m not in mutants}
    assert left_out
    assert all(load()[identifier].opt_in for killers in left_out.values() for identifier in killers)
    matrix = Matrix(mutants, judged, [0])
    assert spent(matrix, "default") == []
    matrix.found = {(m.name, identifier): {0: 3} for m in mutants for identifier in m.killed_by}
    assert {line["median"] for line in spent(matrix, "default")} == {3}
