"""torch's legacy arguments ``size_average`` and ``reduce`` stand for a reduction, with its values and gradients."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'xent-conformance[torch]'")

F = torch.nn.functional

#: (size_average, reduce) and the reduction it is documented to mean; None is "not passed", which means True.
MEANINGS = [
    (True, True, "mean"),
    (False, True, "sum"),
    (True, False, "none"),
    (False, False, "none"),
    (None, True, "mean"),
    (None, False, "none"),
    (True, None, "mean"),
    (False, None, "sum"),
]
LABELS = torch.tensor([0, 3, -100, 1])
TARGETS = {"indices": LABELS, "probabilities": torch.full((4, 5), 0.2)}


def loss_and_gradient(loss: Any, target: Any) -> tuple[Any, Any]:
    """Value and gradient for a cotangent of 1, 2, 3 ... over the losses."""
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    value = loss(logits, target)
    cotangent = torch.arange(1.0, value.numel() + 1).reshape(value.shape)
    return value.detach(), torch.autograd.grad(value, logits, cotangent)[0]


@pytest.mark.filterwarnings("ignore:size_average and reduce args will be deprecated")
@pytest.mark.parametrize("kind", list(TARGETS))
@pytest.mark.parametrize(("size_average", "reduce", "reduction"), MEANINGS)
@pytest.mark.parametrize("form", ["function", "module"])
def test_legacy_arguments_stand_for_a_reduction(
    form: str, kind: str, reduction: str, *, size_average: bool | None, reduce: bool | None
) -> None:
    """size_average and reduce give bitwise the loss and gradient of the reduction they stand for."""
    legacy: dict[str, Any] = {"size_average": size_average, "reduce": reduce}
    common: dict[str, Any] = {"weight": torch.tensor([1.0, 2.0, 0.5, 4.0, 1.0]), "label_smoothing": 0.1}

    def call(**options: Any) -> Any:
        if form == "module":
            return torch.nn.CrossEntropyLoss(**common, **options)
        return lambda logits, target: F.cross_entropy(logits, target, **common, **options)

    got, want = (loss_and_gradient(call(**o), TARGETS[kind]) for o in (legacy, {"reduction": reduction}))
    assert got[0].shape == want[0].shape
    assert torch.equal(got[0], want[0])
    assert torch.equal(got[1], want[1])


def test_legacy_arguments_win_over_the_reduction() -> None:
    """Where both are given the legacy arguments decide, as documented, with a warning."""
    logits = torch.zeros(4, 5)
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        got = F.cross_entropy(logits, LABELS, reduction="none", size_average=False)
    assert torch.equal(got, F.cross_entropy(logits, LABELS, reduction="sum"))
