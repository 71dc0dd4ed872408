"""Every script that a failure comes with shows that failure, on its own, where this suite is not installed.

A mutant is reproduced by each requirement that is declared to kill it, on the first problem of seed 0 that does,
reduced as a run reduces it but for the number of tries. Each script runs in a clean process of its own.
"""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from mutants.catalogue import all_mutants
from xent_conformance.detection.kills import Corpus
from xent_conformance.judging.judge import findings, judge
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.description import Origin
from xent_conformance.loading.imported import Narrowing
from xent_conformance.loading.loader import load
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.session import Request, Session
from xent_conformance.verdicts import deviations
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses import reduction
from xent_conformance.witnesses.reduction import reduce
from xent_conformance.witnesses.script import script
from xent_conformance.witnesses.witness import script_of, verdict_line

#: The oracle may overflow where a bound is infinite; a run does not look at that either.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

HERE = Path(__file__).parent
#: Mutants are tested in so many parts, which several processes take; most scripts need no more than a few reductions.
PARTS, TRIES = 4, 8
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
    """What each script prints and exits with in a process without the suite."""
    # Imported once, in the process that the others are forked from: torch takes seconds.
    libraries = ["numpy", "ml_dtypes", *(["torch"] if any("torch" in text for text in scripts) else [])]
    result = subprocess.run(
        [sys.executable, "-I", HERE / "clean_process.py"],
        input=json.dumps({"scripts": scripts, "folders": [*map(str, folders)], "libraries": libraries}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def shows_it(outcome):
    """Whether a script shows its failure, in words and by its exit code."""
    return outcome["code"] == 1 and outcome["printed"].endswith("WRONG\n")


def worst(requirement, trial):
    """The worst failure of a requirement on a problem, None where it holds."""
    failed = [f for f in findings(requirement, trial) if f.failed]
    return max(failed, key=lambda f: f.ratio) if failed else None


def first_failure(requirement, backend, corpus, origin):
    """Subject and first failing problem, of any dtype."""
    for dtype in backend.capabilities.logits_dtypes:
        subject = Subject.of(backend, dtype, origin)
        if requirement.not_applicable(subject):
            continue
        for drawn in corpus.of(subject, requirement.source):
            for trial, found in judge(requirement, drawn):
                if failed := [f for f in found if f.failed]:
                    return subject, Failing(trial, max(failed, key=lambda f: f.ratio))
    return None


def shown(requirement, subject, failing):
    """The reduced failure and its script, None where a record has none."""
    witness = reduce(requirement, subject, failing)
    return witness, script_of(requirement, subject, witness)


#: Mutants that carry state from call to call: a requirement that looks at one call alone sees what the calls of the
#: run before it left behind. Others, of the family purity, show these faults by a script.
NEEDS_THE_RUN = {
    (name, "accuracy.loss")
    for name in ("scratch-keeps-old-lanes", "third-call-differs", "torch-cached-by-pointer", "weights-cached-by-length")
}


#: Failures of arrays that are not reduced to what a script can hold: it runs the suite again (test_long_inputs.py).
TOO_LONG = {
    ("index-in-float32", "accuracy.large-call"),
    ("index-of24-bits", "gradients.large-call"),
    ("last-pass-of-areduction-lost", "accuracy.large-call"),
    ("long-rows-stored-by-truncation", "accuracy.unbiased"),
    ("long-rows-with-short-constant", "accuracy.unbiased"),
    ("second-launch-of-large-gradients", "gradients.large-call"),
    ("threads-race-on-the-sum", "purity.long-sums"),
}


@pytest.mark.parametrize("part", range(PARTS))
def test_every_script_of_every_mutant_shows_its_failure(corpus, monkeypatch, part):
    """In the mutant's words: a wrong value, an accepted call, inputs written over, a second call that differs."""
    made, enough = {}, reduction.LIMIT
    for mutant in sorted(all_mutants(), key=lambda m: m.killed_by)[part::PARTS]:
        for identifier in mutant.killed_by:
            if (mutant.name, identifier) in TOO_LONG:
                continue
            backend = mutant.backend()
            kind = type(backend)
            origin = Origin(mutant.name, "entry point", kind.__module__, kind.__name__, "")
            found = first_failure(REQUIREMENTS[identifier], backend, corpus, origin)
            if found is not None:
                # A race between threads may not show in a reduced problem, or on a busy machine: it is reduced again.
                again = [enough] * (3 if identifier.startswith("purity.threads") else 0)
                for tries in (TRIES, enough, *again):
                    monkeypatch.setattr(reduction, "LIMIT", tries)
                    _, text = shown(REQUIREMENTS[identifier], *found)
                    if text is not None:
                        made[mutant.name, identifier] = text
                        break
                else:
                    pytest.fail(f"{mutant.name}, {identifier}: no script")
    assert len(made) > 300 / PARTS
    outcomes = executed(list(made.values()), HERE.parent)
    silent = {pair: outcome for pair, outcome in zip(made, outcomes, strict=True) if not shows_it(outcome)}
    assert {pair: outcome["printed"] for pair, outcome in silent.items() if pair not in NEEDS_THE_RUN} == {}
    assert set(silent) <= NEEDS_THE_RUN
    assert all(o["code"] == 0 and o["printed"].endswith("NOT REPRODUCED\n") for o in silent.values())


def test_a_script_imports_nothing_that_its_dtypes_do_not_need(corpus):
    requirement = REQUIREMENTS["accuracy.loss"]
    for mutant in all_mutants():
        if "accuracy.loss" in mutant.killed_by and not mutant.name.startswith("torch"):
            backend = mutant.backend()
            origin = Origin(mutant.name, "entry point", type(backend).__module__, type(backend).__name__, "")
            found = first_failure(requirement, backend, corpus, origin)
            if found is not None:
                subject, failing = found
                text = script(requirement, subject, failing.trial.problem, failing.finding)
                assert ("import ml_dtypes" in text) == (subject.dtype == "bfloat16")
                return


def test_every_script_of_a_known_deviation_shows_it():
    """Each witness, for each requirement and dtype that it concerns, in plain torch."""
    pytest.importorskip("torch", reason="torch is not installed")
    backend, description = load("torch")
    version = description.version
    cases = []
    for deviation in deviations.read(description.deviations):
        for identifier in deviation.requirements:
            for dtype in description.capabilities.logits_dtypes:
                if deviation.concerns(identifier, dtype, version):
                    subject = Subject.of(backend, dtype, description.origin)
                    problem = deviation.witness_for(dtype, description.capabilities.default_ignore_index)
                    finding = worst(REQUIREMENTS[identifier], Trial(subject, problem))
                    text = script(REQUIREMENTS[identifier], subject, problem, finding)
                    cases.append((identifier, dtype, text))
    outcomes = executed([text for *_, text in cases])
    assert cases
    for (identifier, dtype, text), outcome in zip(cases, outcomes, strict=True):
        assert shows_it(outcome), (identifier, dtype, outcome, text)


def test_scripts_of_a_wrong_callable_speak_plain_torch(monkeypatch, corpus):
    """Strides, overwritten inputs, forms, repetition, threads and exceptions, without a word of the suite."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(HERE)
    cases = []
    for name, identifier in WRONG_CALLABLES.items():
        backend, description = load(f"torch:wrong_on_torch.{name}", Narrowing(dtypes=("float32",)))
        found = first_failure(REQUIREMENTS[identifier], backend, corpus, description.origin)
        assert found is not None, name
        _, text = shown(REQUIREMENTS[identifier], *found)
        assert "import xent" not in text
        assert "from xent" not in text
        cases.append((name, text))
    for (name, text), outcome in zip(cases, executed([text for _, text in cases], HERE), strict=True):
        assert shows_it(outcome), (name, outcome, text)


def test_bands_are_in_a_script_only_where_the_failure_needs_them(monkeypatch, corpus):
    """What writes beside its inputs in a call that another requirement makes is shown as well."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(HERE)
    made = {}
    for name, identifier in (("drifts", "accuracy.loss"), ("writes_beside", "accuracy.loss")):
        backend, description = load(f"torch:wrong_on_torch.{name}", Narrowing(dtypes=("float32",)))
        subject, failing = first_failure(REQUIREMENTS[identifier], backend, corpus, description.origin)
        made[name] = script(REQUIREMENTS[identifier], subject, failing.trial.problem, failing.finding)
    assert "as_strided" not in made["drifts"]
    (outcome,) = executed([made["writes_beside"]], HERE)
    assert shows_it(outcome), (outcome, made["writes_beside"])


CRASHING = """
import os
import numpy as np


def beside(logits, target):
    beyond = np.lib.stride_tricks.as_strided(target, (target.size + 1,), target.strides)[-1]
    if len(target) < len(logits) and beyond == 0x6B6B6B6B6B6B6B6B:
        os.abort()
    return np.zeros(len(logits), logits.dtype)


def always(logits, target):
    if len(logits) == 4:
        os.abort()
    return np.zeros(len(logits), logits.dtype)
"""


@pytest.mark.parametrize("name", ["beside", "always"])
def test_bands_are_in_the_script_of_a_crash_only_where_it_needs_them(name, tmp_path):
    """A label read beyond the target is no class, and the kernel reads far away; or any call of four rows crashes."""
    path = tmp_path / "crashing.py"
    path.write_text(CRASHING, "utf-8")
    only = ("invalid_calls.shapes",)
    session = Session.open(Request((f"numpy:{path}:{name}",), profile="quick", dtypes=("float32",), only=only))
    (requirement,) = session.requirements()
    (cell,) = session.cells(requirement)
    (failure,) = verdict_line(session.verdict(requirement, cell), session.settings).failures
    session.close()
    assert failure.kind == "lost"
    # Valid arguments return; where a call of four rows crashes they do not.
    assert ("invalid arguments" in failure.situation) == (name == "beside")
    assert ("as_strided" in failure.reproducer) == (name == "beside")
    script = tmp_path / "script.py"
    script.write_text(failure.reproducer, "utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.endswith("WRONG\n")


def test_the_script_of_a_file_says_where_the_file_is(tmp_path, corpus):
    """An adapter in a file runs without the suite that it imports."""
    text = files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8")
    path = tmp_path / "my_backend.py"
    path.write_text(text.replace("0, logits)", "0, logits) * 2"), "utf-8")
    backend, description = load(str(path))
    subject, failing = first_failure(REQUIREMENTS["accuracy.loss"], backend, corpus, description.origin)
    made = script(REQUIREMENTS["accuracy.loss"], subject, failing.trial.problem, failing.finding)
    assert str(path) in made
    (outcome,) = executed([made])
    assert shows_it(outcome), (outcome, made)
