"""Options of language models: exact answers against the definition, bounds against correct implementations."""

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
from flint import arb, ctx

from correct.catalogue import all_correct
from mutants.numpy_extras import Extras
from xent_conformance.bounds import Bounds
from xent_conformance.bounds.error_model import ErrorModel
from xent_conformance.bounds.logit_map import ChangedParts, logit_error, slope_error
from xent_conformance.conventions import Conventions
from xent_conformance.detection.campaign_quantities import compared
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities, Precision
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Answer
from xent_conformance.oracle.arithmetic import ARB, FLOAT64, LONGDOUBLE, WIDE_ENOUGH
from xent_conformance.oracle.logit_map import mapped, slope
from xent_conformance.problem import EXTRAS, Problem
from xent_conformance.problem_data import from_data, from_literals, to_data
from xent_conformance.problem_traits import traits
from xent_conformance.records import plain
from xent_conformance.records.lines import ProblemLine
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.language_models import LANGUAGE_MODELS
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of

VALUES = {"divisor": 12.5, "lse_square_scale": 0.375, "logit_scale": 1.7, "softcap": 3.3}
SETS = [dict(chosen) for n in range(1, 5) for chosen in combinations(VALUES.items(), n)]
CLAIMING = replace(EVERYTHING, **dict.fromkeys(EXTRAS, True))
LOGITS = [[1.0, -2.5, 0.25, 40.0], [0.0, 0.0, 7.5, -3.0], [np.nan, 1.0, 2.0, 3.0], [-30.0, 2.0, -1.0, 0.5]]
LABELS = [1, 2, -100, 3]
WEIGHT = [1.5, 0.5, 2.0, 0.75]
#: Bits of the definition, and of the step of its difference quotients.
BITS, STEP = 600, arb(2) ** -150


def problem(reduction="mean", dtype="float64", logits=LOGITS, **options):
    rows = () if reduction != "none" else (4,)
    return Problem(
        np.array(logits, dtype),
        np.array(LABELS),
        np.array(WEIGHT, dtype) if options.get("label_smoothing") else None,
        reduction=reduction,
        cotangent=np.full(rows, 1.25, dtype),
        sentinel=-100,
        **options,
    )


def loss_by_definition(p, logits):
    """The sum of the rows' losses over the divisor, of logits as balls."""
    total, eps = arb(0), arb(p.label_smoothing)
    weight = [arb(float(w)) for w in p.class_weights()]
    count = arb(0)
    for row, label in zip(logits, LABELS, strict=True):
        if label == -100:
            continue
        z = [x * arb(p.logit_scale) for x in row]
        if p.softcap is not None:
            z = [arb(p.softcap) * (v / arb(p.softcap)).tanh() for v in z]
        lse = sum((v.exp() for v in z), arb(0)).log()
        total += weight[label] * (1 - eps) * (lse - z[label])
        total += sum((w * (lse - v) for w, v in zip(weight, z, strict=True)), arb(0)) * eps / len(row)
        total += arb(p.lse_square_scale) * lse * lse
        count += weight[label]
    if p.reduction == "sum":
        return total
    return total / (count if p.divisor is None else arb(p.divisor))


def by_definition(p):
    """Loss and gradient for the problem's cotangent, the gradient by central differences, as float64."""
    ctx.prec = BITS
    try:
        x = [[arb(0) if np.isnan(v) else arb(float(v)) for v in row] for row in p.logits.astype(np.float64).tolist()]
        gradient = np.zeros(p.logits.shape)
        for i, j in np.ndindex(*gradient.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = [list(row) for row in x]
                moved[i][j] = moved[i][j] + step
                ends.append(loss_by_definition(p, moved))
            gradient[i, j] = float(((ends[0] - ends[1]) / (2 * STEP) * arb(1.25)).mid())
        return float(loss_by_definition(p, x).mid()), gradient
    finally:
        ctx.prec = 53


@pytest.mark.parametrize("arithmetic", [FLOAT64, LONGDOUBLE, ARB], ids=lambda a: a.name)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_and_gradient_are_those_of_the_definition(reduction, arithmetic):
    if arithmetic is LONGDOUBLE and np.finfo(np.longdouble).nmant < WIDE_ENOUGH:
        pytest.skip("no wide longdouble")
    for options in SETS:
        for smoothing in (0.0, 0.25):
            p = problem(reduction, label_smoothing=smoothing, **options)
            answer = Answer(p, Conventions(), arithmetic)
            loss, gradient = by_definition(p)
            # The definition has been rounded to float64.
            assert abs(float(answer.loss.value) - loss) <= 1e-14 * abs(loss), options
            assert np.abs(answer.grad_logits.value - gradient).max() <= 1e-14 * np.abs(gradient).max(), options


def test_the_second_digits_of_longdouble_agree_with_balls():
    if np.finfo(np.longdouble).nmant < WIDE_ENOUGH:
        pytest.skip("no wide longdouble")
    for options in SETS:
        wide, exact = (Answer(problem("none", **options), Conventions(), a) for a in (LONGDOUBLE, ARB))
        bounds = Bounds(exact, Precision())
        for name in ("loss", "grad_logits"):
            found, right, bound = getattr(wide, name), getattr(exact, name), getattr(bounds, name)
            off = np.abs((found.value - right.value) + (found.residual - right.residual))
            assert (off <= 1e-3 * bound).all(), (name, options)


def test_an_infinite_logit_is_the_cap_and_has_no_gradient():
    for arithmetic in (FLOAT64, ARB):
        masked = problem("none", logits=[[-np.inf, 0.0, np.inf, 1.0]] * 4, softcap=2.0)
        finite = problem("none", logits=[[-1e9, 0.0, 1e9, 1.0]] * 4, softcap=2.0)
        answers = [Answer(p, Conventions(), arithmetic) for p in (masked, finite)]
        assert np.allclose(answers[0].loss.value, answers[1].loss.value, rtol=1e-15, atol=0)
        assert (answers[0].grad_logits.value[:, [0, 2]] == 0).all()
        assert np.isfinite(Bounds(answers[0], Precision()).grad_logits).all()


def test_a_divisor_makes_a_mean_of_nothing_zero():
    for options in ({}, {"lse_square_scale": 0.5}):
        p = problem(divisor=4.0, **options).with_(target=np.full(4, -100))
        answer = Answer(p, Conventions())
        assert answer.loss.value == 0
        assert (answer.grad_logits.value == 0).all()
        assert (Bounds(answer, Precision()).grad_logits == 0).all()


def test_a_softmax_is_shared_only_by_logits_that_are_mapped_alike():
    p = problem(softcap=2.0)
    first = Answer(p, Conventions())
    assert Answer(p.with_(reduction="sum"), Conventions(), like=first).parts is first.parts
    with pytest.raises(ValueError, match="same array of logits"):
        Answer(p.with_(softcap=3.0), Conventions(), like=first)
    subject = Subject.of(Extras("twin", ("float64",)), "float64")
    trial = Trial(subject, p)
    assert trial.related(p.with_(reduction="sum")).answer.parts is trial.answer.parts
    assert trial.related(p.with_(softcap=3.0)).answer.parts is not trial.answer.parts


def test_there_is_no_second_derivative_of_what_adds_to_it():
    for name in ("lse_square_scale", "logit_scale", "softcap"):
        with pytest.raises(ValueError, match="second derivatives"):
            Answer(problem(**{name: VALUES[name]}), Conventions()).hessian_times(np.ones((4, 4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_logits_within_their_error_change_log_probabilities_by_less_than_the_bound(dtype):
    rng = np.random.default_rng(0)
    for scale, cap in ((1.7, None), (1.0, 3.3), (0.3, 30.0)):
        logits = (rng.normal(size=(4, 6)) * 8).astype(dtype)
        p = Problem(logits, np.zeros(4, np.int64), reduction="none", logit_scale=scale, softcap=cap)
        answer = Answer(p, Conventions())
        model = ErrorModel(p.format, Precision(internals="native"))
        error, parts = logit_error(p, model), ChangedParts(answer.plain_parts, p, model)
        z = mapped(p.logits_by_row(), scale, cap)
        for _ in range(50):
            moved = z + error * rng.choice([-1.0, 1.0], size=z.shape)
            nlp = np.log(np.exp(moved - moved.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
            nlp = nlp - (moved - moved.max(axis=1, keepdims=True))
            assert (np.abs(nlp - answer.plain_parts.nlp) <= parts.shift * (1 + 1e-9)).all()
            assert (nlp <= parts.nlp * (1 + 1e-9)).all()
            assert (np.exp(-nlp) <= parts.p * (1 + 1e-9)).all()
            assert (moved.max(axis=1, keepdims=True) - moved <= parts.distance * (1 + 1e-9)).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_one_minus_the_square_of_tanh_is_within_its_error(dtype):
    x = np.linspace(-40, 40, 801).astype(dtype)[None]
    p = Problem(x, np.zeros(1, np.int64), reduction="none", logit_scale=1.7, softcap=5.0)
    kind = x.dtype.type
    height = np.tanh(x * kind(1.7) / kind(5.0))
    found = (kind(1.7) * (1 - height * height)).astype(np.float64)
    off = np.abs(found - slope(p.logits_by_row(), 1.7, 5.0))
    bound = slope_error(p, ErrorModel(p.format, Precision(internals="native")))
    assert (off <= bound).all()
    assert off.max() >= 0.05 * bound.max()


#: One implementation for each dtype; the campaign has all of them on more problems.
IMPLEMENTATIONS = {
    "float16": "A, all rounded, cap by sigmoid",
    "bfloat16": "B, tensors stored",
    "float32": "B, approximate log",
    "float64": "A, cap by sigmoid",
}


@pytest.mark.parametrize("dtype", FLOATING)
def test_a_correct_implementation_stays_within_every_bound(dtype):
    (backend,) = (one for one in all_correct() if one.name == IMPLEMENTATIONS[dtype])
    subject = Subject.of(backend, dtype)
    judged = 0
    for recipe in recipes_of(LANGUAGE_MODELS, dtype, Draw(5, 40)):
        trial = Trial(subject, recipe.build(dtype, backend.capabilities))
        for quantity, finding, elements in compared(trial):
            assert finding.ratio < 1, (quantity, finding.message)
            judged += elements
    assert judged > 1000


def test_options_that_are_not_claimed_are_not_in_a_problem():
    for recipe in recipes_of(LANGUAGE_MODELS, "float32", Draw(0, 60)):
        assert recipe.build("float32", EVERYTHING).extras == {}
        only = recipe.build("float32", replace(EVERYTHING, softcap=True))
        assert set(only.extras) <= {"softcap"}
        full = recipe.build("float32", CLAIMING)
        assert set(full.extras) <= set(dict(recipe.options))
        assert "divisor" not in full.options() or full.reduction == "mean"


def test_every_option_is_drawn_alone_and_with_others():
    drawn = [r.build("float32", CLAIMING) for r in recipes_of(LANGUAGE_MODELS, "float32", Draw(0, 150))]
    assert {(*p.extras,) for p in drawn} >= {*((name,) for name in EXTRAS), tuple(EXTRAS)}
    assert any(p.classes > 1024 and p.extras for p in drawn)


def test_other_streams_have_none_and_their_recipes_are_written_as_before():
    for recipe in recipes_of(JOINT, "float32", Draw(0, 30)):
        assert recipe.build("float32", CLAIMING).extras == {}
        assert "options" not in str(recipe)
    assert "options" in str(Recipe(options=(("softcap", 2.0),)))


def test_a_mean_of_weighted_rows_with_the_z_loss_is_not_judged_without_a_divisor():
    subject = Subject.of(Extras("twin", ("float64",)), "float64")
    weighted = problem(label_smoothing=0.25, lse_square_scale=0.5)
    assert not subject.takes(weighted)
    assert subject.takes(weighted.with_(reduction="sum"))
    assert subject.takes(weighted.with_(divisor=3.0))


def test_problems_with_options_are_written_and_read():
    for options in SETS:
        p = problem(**options)
        data = to_data(p)
        line = plain.from_data(data, ProblemLine)
        again = from_data(plain.as_data(line))
        assert again.extras == from_data(data).extras == p.extras == options
        literals = {"logits": [[0.0, 1.0]], "target": [0], "reduction": "mean", **options}
        assert from_literals(literals, "float32", None).extras == options
        assert {"divisor", "z-loss", "logit-scale", "softcap"} & traits(p)
    assert set(to_data(problem())) & set(EXTRAS) == set()


def test_unclaimed_options_are_named():
    subject = Subject.of(Extras("twin", ("float64",)), "float64")
    assert subject.unclaimed(problem(**VALUES)) == set()
    plain_subject = replace(subject, description=replace(subject.description, capabilities=Capabilities()))
    assert subject.unclaimed(problem()) == set()
    assert set(chain(EXTRAS)) <= plain_subject.unclaimed(problem(**VALUES))
