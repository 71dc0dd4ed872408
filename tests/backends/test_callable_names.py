"""Options of a callable under the names that libraries have for them, and scores that are logits only on request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.numpy_backend import from_callable
from xent_conformance import judge
from xent_conformance.loading.errors import BrokenBackendError

right = numpy_cross_entropy.cross_entropy
LOGITS, TARGET = np.array([[-1.0, 0.0, 2.0], [0.5, 1.0, 0.0]]), np.array([0, 2])
QUICK: dict[str, Any] = {"framework": "numpy", "profile": "quick", "dtypes": "float32"}


def adapted(function: Any) -> Any:
    return from_callable(function, spec="numpy:losses.f")


def library(
    logits: Any,
    target: Any,
    weight: Any = None,
    class_weight: Any = None,
    ignore_label: int = 255,
    smoothing: float = 0.1,
    reduction: str = "mean",
) -> Any:
    """A loss as in libraries for images: ``weight`` is one of each row."""
    assert weight is None
    return right(
        logits, target, weight=class_weight, ignore_index=ignore_label, label_smoothing=smoothing, reduction=reduction
    )


def test_options_are_known_by_the_names_of_libraries() -> None:
    backend = adapted(library)
    claims, said = backend.capabilities, dict(backend.capabilities.left_out)
    assert (claims.weight, claims.ignore_index, claims.label_smoothing) == (True, True, True)
    assert claims.default_ignore_index == 255
    assert said["the name weight"] == "the parameter class_weight is this option"
    assert "parameter weight" in said
    options: dict[str, Any] = {"weight": np.array([1.0, 2.0, 4.0]), "label_smoothing": 0.5}
    got = backend.cross_entropy(LOGITS, TARGET, reduction="sum", **options)
    assert got == right(LOGITS, TARGET, reduction="sum", **options)
    # Its own smoothing is turned off.
    assert backend.cross_entropy(LOGITS, TARGET, reduction="mean") == right(LOGITS, TARGET)
    assert judge(library, **QUICK, only=("accuracy.loss", "label_smoothing.*", "weights.*", "ignore_index.*")).passed


def test_the_script_of_a_failure_passes_the_names_of_the_callable() -> None:
    def halves(logits: Any, target: Any, class_weight: Any = None, reduction: str = "mean") -> Any:
        loss = right(logits, target, weight=class_weight, reduction=reduction)
        return loss if class_weight is None else loss / 2

    result = judge(halves, **QUICK, only="weights.loss")
    assert "{'weight': 'class_weight'}" in (result.causes[0].shown.failure.reproducer or "")


def test_a_weight_of_each_row_is_no_class_weight() -> None:
    def weighted(logits: Any, target: Any, weight: Any = None) -> Any:
        losses = right(logits, target, reduction="none")
        return (losses if weight is None else losses * weight).sum()

    claims = adapted(weighted).capabilities
    assert not claims.weight
    assert dict(claims.left_out)["weight"] == "it takes a weight for each row, and none for each class"


@pytest.mark.parametrize(
    ("default", "claimed"), [(0.0, True), (0.1, True), (1e-8, False), (1.0, False), (None, False), (True, False)]
)
def test_an_epsilon_is_smoothing_only_if_its_default_can_be_meant_as_that(default: Any, claimed: Any) -> None:
    def smoothed(logits: Any, target: Any, epsilon: Any = default) -> Any:
        return right(logits, target, label_smoothing=epsilon if 0.01 <= (epsilon or 0) < 1 else 0)

    claims = adapted(smoothed).capabilities
    assert claims.label_smoothing is claimed
    assert ("parameter epsilon" in dict(claims.left_out)) is not claimed


def test_an_option_under_another_name_without_effect_is_left_out() -> None:
    def loss(logits: Any, target: Any, padding_idx: int | None = None) -> Any:
        return right(logits, target)

    claims = adapted(loss).capabilities
    assert (claims.ignore_index, claims.default_ignore_index) == (False, None)
    assert dict(claims.left_out)["ignore_index"] == "passing it changed nothing"


def test_a_smoothing_without_default_is_passed_to_a_loss_of_log_probabilities() -> None:
    """That has no such option."""

    def smoothed_nll_loss(log_probs: Any, target: Any, epsilon: float) -> Any:
        return -log_probs[np.arange(len(target)), target].mean() + epsilon

    backend = adapted(smoothed_nll_loss)
    assert backend.nll_loss(np.log([[0.5, 0.5]]), np.array([0]), reduction="mean") == np.log(2)


class Smoothed:
    """A layer with smoothing of its own."""

    smoothing = 0.2

    def __call__(self, logits: Any, target: Any) -> Any:
        return right(logits, target, label_smoothing=self.smoothing)


def test_an_object_with_smoothing_by_another_name_is_not_judged() -> None:
    with pytest.raises(ValueError, match=r"the Smoothed has smoothing=0\.2, which no call can change"):
        adapted(Smoothed())
    loss = Smoothed()
    loss.smoothing = False  # type: ignore[assignment]
    assert adapted(loss).capabilities.reductions == ("mean",)


def of_probabilities(y_true: Any, y_pred: Any, *, from_logits: bool = False) -> Any:
    """A loss as in Keras."""
    return right(y_pred if from_logits else np.log(np.clip(y_pred, 1e-7, 1)), y_true, reduction="none")


def of_one_hot(logits: Any, target: Any, *, from_logits: bool = False) -> Any:
    """A loss of distributions; ``from_logits`` says that these are log-probabilities, as in MXNet."""
    if target.shape != logits.shape:
        raise ValueError("shapes differ")
    return -(target * (logits if from_logits else logits - np.logaddexp.reduce(logits, 1, keepdims=True))).sum(1)


@pytest.mark.parametrize(("function", "value"), [(of_probabilities, True), (of_one_hot, False)])
def test_scores_are_given_as_logits(function: Any, value: Any) -> None:
    backend = adapted(function)
    got = backend.cross_entropy(LOGITS, TARGET, reduction="none")
    assert got == pytest.approx(right(LOGITS, TARGET, reduction="none"))
    assert f"'from_logits': {value}" in backend.setup


def test_a_missing_argument_says_what_to_judge() -> None:
    def loss(logits: Any, target: Any, *, temperature: float) -> Any:
        return right(logits / temperature, target)

    with pytest.raises(BrokenBackendError, match=r"missing 1 .*'temperature'; judge a function that passes it"):
        judge(loss, framework="numpy")
