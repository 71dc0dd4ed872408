"""Every script that a failure comes with shows that failure, on its own, where this suite is not installed.

A mutant is reproduced by the first requirement that is declared to kill it, on the first problem of seed 0 that does,
reduced as a run reduces it. One clean process executes all scripts. The whole catalogue takes over a minute: one NumPy
mutant stands for all that die first by the same requirement, unless ``XENT_ALL_REPRODUCERS`` is set; torch's are all
there.
"""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from mutants.catalogue import all_mutants
from xent_conformance.detection.kills import Corpus
from xent_conformance.judging.evaluation import findings_of
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.tally import Failing, located
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.description import Origin
from xent_conformance.loading.loader import Narrowing, load
from xent_conformance.records import deviations
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.witnesses.reproduce import script
from xent_conformance.witnesses.witness import reduce

#: The oracle may overflow where a bound is infinite; a run does not look at that either.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

HERE = Path(__file__).parent
REQUIREMENTS = load_requirements()
WRONG_CALLABLES = {
    "ignores_strides": "layout.loss",
    "overwrites": "purity.inputs-unchanged",
    "keeps_the_axis": "dtypes.output",
    "gives_integers": "accuracy.loss",
    "drifts": "purity.repeatable",
    "refuses_large_batches": "accuracy.loss",
    "shares_a_buffer": "purity.threads",
    "forgets_the_offset": "accuracy.loss",
    "reads_beside": "accuracy.loss",
    "writes_beside": "purity.memory-beside-the-inputs",
}


@pytest.fixture(scope="module")
def corpus():
    return Corpus(Settings("default", 0))


def executed(scripts, *folders):
    """What each script prints and raises in a process without the suite."""
    result = subprocess.run(
        [sys.executable, "-I", HERE / "clean_process.py"],
        input=json.dumps({"scripts": scripts, "folders": [str(folder) for folder in folders]}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def shows_it(finding, outcome):
    """Whether a script shows what a finding says."""
    if isinstance(finding.got, str) and finding.got.startswith("raised "):
        return outcome["raised"].partition(":")[0] == finding.got.partition(":")[0]
    if outcome["raised"]:
        return False
    if finding.expected == "an error":
        return outcome["printed"].startswith("accepted:")
    return outcome["printed"].endswith("WRONG\n")


def worst(requirement, subject, problem):
    """The worst failure of a requirement on a problem, None where it holds."""
    failed = [f for f in findings_of(requirement, Trial(subject, problem)) if f.failed]
    return located(max(failed, key=lambda f: f.ratio)) if failed else None


def first_failure(requirement, backend, corpus, origin):
    """Subject and first failing problem, of any dtype."""
    for dtype in backend.capabilities.logits_dtypes:
        subject = Subject.of(backend, dtype, origin)
        if requirement.not_applicable(subject):
            continue
        for example, (drawn, _) in enumerate(corpus.of(subject, requirement.source)):
            for problem in [drawn] if requirement.derive is None else requirement.derive(drawn):
                if (finding := worst(requirement, subject, problem)) is not None:
                    return subject, Failing(problem, finding, None, example)
    return None


def sampled(mutants):
    """All mutants on torch, and one of those that the same requirement is declared to kill first."""
    if os.environ.get("XENT_ALL_REPRODUCERS"):
        return mutants
    alike = {m.name if m.name.startswith("torch") else m.killed_by[0]: m for m in mutants}
    return list(alike.values())


def of_mutant(mutant, corpus):
    """Its failure, and the script for that; None where it survives, which is not judged here."""
    for identifier in mutant.killed_by:
        backend = mutant.backend()
        kind = type(backend)
        origin = Origin(mutant.name, "entry point", kind.__module__, kind.__name__, "")
        found = first_failure(REQUIREMENTS[identifier], backend, corpus, origin)
        if found is not None:
            subject, failing = found
            failing, _ = reduce(REQUIREMENTS[identifier], subject, failing)
            text = script(REQUIREMENTS[identifier], subject, failing.problem, failing.finding)
            return REQUIREMENTS[identifier], subject, failing, text
    return None


def needs_other_calls(requirement, subject, outcome):
    """Whether a mutant is about what calls do to each other, and was seen by a requirement that is not.

    Its failure needs the calls of that run; the script says that it may.
    """
    about_calls = subject.description.origin.place in ("mutants.state", "mutants.aliasing", "mutants.torch_memory")
    return about_calls and requirement.family != "purity" and "right: unlike in the run" in outcome["printed"]


def test_every_script_of_a_mutant_shows_its_failure(corpus):
    """In the mutant's words: a wrong value, an accepted call, inputs written over, a second call that differs."""
    mutants = sampled(all_mutants())
    found = {m: made for m in mutants if (made := of_mutant(m, corpus)) is not None}
    assert len(found) >= 0.9 * len(mutants)
    outcomes = executed([text for *_, text in found.values()], HERE.parent)
    silent = {
        mutant.name: (requirement.id, outcome)
        for (mutant, (requirement, subject, failing, _)), outcome in zip(found.items(), outcomes, strict=True)
        if not shows_it(failing.finding, outcome) and not needs_other_calls(requirement, subject, outcome)
    }
    assert silent == {}


def test_every_script_of_a_known_deviation_shows_it():
    """Each witness, for each requirement and dtype that it concerns, in plain torch."""
    backend, description = load("torch")
    version = description.version
    cases = []
    for deviation in deviations.read(description.deviations):
        for identifier in deviation.requirements:
            for dtype in description.capabilities.logits_dtypes:
                if deviation.concerns(identifier, dtype, version):
                    subject = Subject.of(backend, dtype, description.origin)
                    problem = deviation.witness_for(dtype, description.capabilities.default_ignore_index)
                    finding = worst(REQUIREMENTS[identifier], subject, problem)
                    text = script(REQUIREMENTS[identifier], subject, problem, finding)
                    cases.append((identifier, dtype, finding, text))
    outcomes = executed([text for *_, text in cases])
    assert cases
    for (identifier, dtype, finding, _), outcome in zip(cases, outcomes, strict=True):
        assert shows_it(finding, outcome), (identifier, dtype, outcome)


def test_scripts_of_a_wrong_callable_speak_plain_torch(monkeypatch, corpus):
    """Strides, overwritten inputs, forms, repetition, threads and exceptions, without a word of the suite."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(HERE)
    cases = []
    for name, identifier in WRONG_CALLABLES.items():
        backend, description = load(f"torch:wrong_on_torch.{name}", Narrowing(dtypes=("float32",)))
        found = first_failure(REQUIREMENTS[identifier], backend, corpus, description.origin)
        assert found is not None, name
        subject, failing = found
        text = script(REQUIREMENTS[identifier], subject, failing.problem, failing.finding)
        assert "import xent" not in text
        assert "from xent" not in text
        cases.append((name, failing.finding, text))
    for (name, finding, text), outcome in zip(cases, executed([c[2] for c in cases], HERE), strict=True):
        assert shows_it(finding, outcome), (name, outcome, text)


def test_bands_are_in_a_script_only_where_the_failure_needs_them(monkeypatch, corpus):
    """What writes beside its inputs in a call that another requirement makes is shown as well."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(HERE)
    made = {}
    for name, identifier in (("drifts", "accuracy.loss"), ("writes_beside", "accuracy.loss")):
        backend, description = load(f"torch:wrong_on_torch.{name}", Narrowing(dtypes=("float32",)))
        subject, failing = first_failure(REQUIREMENTS[identifier], backend, corpus, description.origin)
        made[name] = script(REQUIREMENTS[identifier], subject, failing.problem, failing.finding)
    assert "as_strided" not in made["drifts"]
    (outcome,) = executed([made["writes_beside"]], HERE)
    assert outcome["printed"].endswith("WRONG\n"), (outcome, made["writes_beside"])


def test_the_script_of_a_file_says_where_the_file_is(tmp_path, corpus):
    """An adapter in a file runs without the suite that it imports."""
    text = files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8")
    path = tmp_path / "my_backend.py"
    path.write_text(text.replace("0, logits)", "0, logits) * 2"), "utf-8")
    backend, description = load(str(path))
    subject, failing = first_failure(REQUIREMENTS["accuracy.loss"], backend, corpus, description.origin)
    made = script(REQUIREMENTS["accuracy.loss"], subject, failing.problem, failing.finding)
    assert str(path) in made
    (outcome,) = executed([made])
    assert shows_it(failing.finding, outcome), (outcome, made)
