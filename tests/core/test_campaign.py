"""The false-alarm campaign in small: correct implementations stay below their bounds and come near them."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from correct.catalogue import all_correct
from correct.implementations import Correct
from correct.sums import blocked, descending, pairwise, sequential
from xent_conformance import cli
from xent_conformance.detection import campaign
from xent_conformance.detection.campaign import Campaign, Entrant, table
from xent_conformance.detection.campaign_problems import directed, drawn
from xent_conformance.detection.campaign_quantities import QUANTITIES
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Precision
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.errors import UsageError
from xent_conformance.strategies import EVERYTHING

#: One implementation of each tier that differs for a dtype; the command runs all of them on all.
SMALL = {
    "float16": ("A, sums stored", "B, all rounded"),
    "bfloat16": ("A, tensors stored", "B, all and sums rounded"),
    "float32": ("A, descending", "B, approximate log"),
    "float64": ("A, sequential",),
}


def implementation(name, dtype):
    (found,) = (backend for backend in all_correct() if backend.name == name)
    return type(found)(name, found.add, found.precision, (dtype,))


@pytest.fixture(scope="module", params=SMALL)
def measured(request):
    entrants = [Entrant(implementation(name, request.param)) for name in SMALL[request.param]]
    return Campaign.measured(entrants, 1)


def test_correct_implementations_stay_below_every_bound(measured):
    assert measured.alarms == [], "\n".join(table(measured))
    assert measured.comparisons > 200_000
    assert {quantity for _, quantity, _ in measured.entries} == set(QUANTITIES)


def test_the_worst_of_them_comes_near_every_bound(measured):
    """Values and gradients at least; the last quantities reach it over more seeds, or by another implementation."""
    for quantity in ("log_softmax", "softmax", "loss none", "loss sum", "grad_logits"):
        largest = max(ratio for (found, _), (ratio, _) in measured.largest().items() if found == quantity)
        assert largest >= campaign.TIGHT, (quantity, largest)


class DividesByRows(Correct):
    def divisor(self, call):
        return len(call.x)


def test_a_wrong_implementation_raises_the_alarm():
    wrong = DividesByRows("wrong", pairwise, Precision(), ("float32",))
    found = Campaign.measured([Entrant(wrong)], 1)
    assert {quantity for _, quantity, _ in found.alarms} == {"loss mean", "grad_logits", "grad_target", "hessian"} - (
        {"grad_target"}  # probabilities are divided by the rows
    )
    assert any(line.startswith("false alarm: wrong, loss mean, float32") for line in table(found))


@pytest.mark.parametrize("add", [sequential, descending, pairwise, blocked])
@pytest.mark.parametrize("classes", [0, 1, 2, 31, 32, 33, 100])
def test_sums_are_sums(add, classes):
    terms = np.random.default_rng(classes).integers(-50, 50, (3, classes)).astype(np.float64)
    assert (add(terms, np.float32) == terms.sum(axis=1)).all()


def test_the_problems_have_negative_weights_and_targets():
    problems = list(drawn("float32", EVERYTHING, 0, None))
    assert any(p.weight is not None and (p.weight < 0).any() for p in problems)
    assert any(p.has_probabilities and p.label_smoothing and (p.target < 0).any() for p in problems)
    assert any(p.has_probabilities and not (p.target < 0).any() for p in problems)


@pytest.mark.parametrize("dtype", FLOATING)
def test_directed_problems_differ_from_seed_to_seed(dtype):
    first, again, other = (list(directed(dtype, EVERYTHING, seed)) for seed in (0, 0, 1))
    assert all((a.logits == b.logits).all() for a, b in zip(first, again, strict=True))
    assert sum((a.logits != b.logits).any() for a, b in zip(first, other, strict=True)) > len(first) / 2
    assert max(p.classes for p in first) > 4096
    assert max(p.rows for p in first) > 1024


CATALOGUE = """
import numpy as np
from xent_conformance.interface import Capabilities

class Small:
    name = "small"
    capabilities = Capabilities(logits_dtypes=("float64",))

    def cross_entropy(self, logits, target, reduction="mean"):
        x = np.moveaxis(logits, min(1, logits.ndim - 1), -1).reshape(-1, logits.shape[min(1, logits.ndim - 1)])
        shifted = x - x.max(axis=1, keepdims=True)
        losses = FACTOR * (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(x)), target.reshape(-1)])
        return losses.reshape(target.shape) if reduction == "none" else getattr(losses, reduction)()

def all_correct():
    return [Small()]
"""


@pytest.mark.parametrize(("factor", "code"), [("1.0", 0), ("1.000001", 1)])
def test_the_command_says_so_and_exits_accordingly(tmp_path, capsys, monkeypatch, factor, code):
    folder = tmp_path / f"correct{code}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "catalogue.py").write_text(CATALOGUE.replace("FACTOR", factor))
    monkeypatch.setattr(sys, "path", list(sys.path))
    output = tmp_path / "campaign.json"
    assert cli.main(["campaign", str(folder), "--comparisons", "1", "--output", str(output)]) == code
    written = json.loads(output.read_text("utf-8"))
    ratios = [float(entry["ratio"]) for entry in written["entries"]]
    assert {entry["quantity"] for entry in written["entries"]} == {"loss none", "loss sum", "loss mean"}
    assert written["comparisons"] == sum(entry["comparisons"] for entry in written["entries"]) > 200
    assert (max(ratios) >= 1) == bool(code)
    assert not any(math.isnan(ratio) for ratio in ratios)
    assert ("false alarm" in capsys.readouterr().out) == bool(code)


def test_a_folder_without_a_catalogue_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*catalogue\.py"):
        campaign.entrants(tmp_path)


def test_a_known_deviation_is_excused_and_counted():
    pytest.importorskip("torch", reason="torch is not installed")
    torch = campaign.entrants(Path(__file__).parents[1] / "correct", ["torch"])[-1]
    many = next(d for d in torch.known if "many-classes" in d.where)
    torch = replace(torch, known=(replace(many, requirements=("accuracy.loss",)),))
    problem = many.witness_for("float16", -100)
    assert not torch.excused("softmax", problem, "float16")
    found = Campaign()
    found.judge(torch, Trial(Subject.of(torch.backend, "float16"), problem))
    entry = found.entries["torch", "loss sum", "float16"]
    assert (entry.excused, entry.comparisons) == (1, 0)
    assert ("torch", "loss sum", "float16") not in found.alarms
