"""A bare callable is judged as the function that it is: by its signature, its name, or what it gives."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from xent_backends import numpy_backend, torch_backend
from xent_backends.callables.forms import form_of
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.declared import claims_in, form_in
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

PROBLEM = Problem(
    np.array([[1.0, -2.0, 3.0], [0.0, 4.0, 2.0]], dtype=np.float32),
    np.array([2, 0]),
    reduction="mean",
    cotangent=np.array(1.0, dtype=np.float32),
)


def fused(x, lm_weight, target, bias=None, reduction="mean"):
    return F.cross_entropy(F.linear(x, lm_weight, bias), target, reduction=reduction)


def fused_weight_first(lin_weight, _input, labels, reduction="mean"):
    return F.cross_entropy(F.linear(_input, lin_weight), labels, reduction=reduction)


def fused_bias_third(hidden, weight, bias, target):
    return F.cross_entropy(F.linear(hidden, weight, bias), target)


def fused_in_one_cotangent(x, weight, target, reduction="mean"):
    return 1.5 * fused(x, weight, target, reduction=reduction)


def fused_linear_ce(x, target, weight, bias=None, reduction="mean"):
    return fused(x, weight, target, bias, reduction)


def fused_linear_loss(labels, proj_weight, x):
    return fused(x, proj_weight, labels)


def declared_linear(x, target, w):
    return fused(x, w, target)


class FusedLayer(torch.nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, weight, x, target, bias=None):
        return fused(x, weight, target, bias, self.reduction)


def judged(backend, *ids):
    """The requirements, of those named, that a backend breaks on a small problem; each is exercised."""
    subject, broken = Subject.of(backend, "float32"), []
    for name in ids:
        found = findings(load()[name], Trial(subject, PROBLEM))
        assert any(f.exercised for f in found), name
        broken += [name] if any(f.failed for f in found) else []
    return broken


LINEAR = "fused_linear.loss", "fused_linear.gradients"


def torch_of(function, **more):
    return torch_backend.from_callable(function, spec=f"torch:{__name__}.{function.__name__}", **more)


@pytest.mark.parametrize(
    ("function", "bias"),
    [
        (fused, True),
        (fused_weight_first, False),
        (fused_bias_third, True),
        (FusedLayer, True),
        (fused_linear_ce, True),
        (fused_linear_loss, False),
    ],
)
def test_labels_after_hidden_and_weight_are_a_fused_linear_map(function, bias):
    backend = torch_of(function, dtypes=("float32",))
    assert not hasattr(backend, "cross_entropy")
    assert backend.capabilities.linear_bias is bias
    assert ("cross_entropy", "it is linear_cross_entropy by its signature") in backend.capabilities.left_out
    assert judged(backend, *LINEAR) == []


def online_softmax(logits, target, reduction="mean"):
    return F.cross_entropy(logits, target, reduction=reduction)


def nll_of_rows(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none")


@pytest.mark.parametrize("function", [online_softmax, nll_of_rows])
def test_a_loss_of_logits_is_one_whatever_its_name(function):
    assert hasattr(torch_of(function, dtypes=("float32",)), "cross_entropy")


def of_labels_first(labels, logits, reduction="mean"):
    return F.cross_entropy(logits, labels, reduction=reduction)


def of_one_hot_first(y_true, y_pred):
    if y_true.shape != y_pred.shape:
        raise ValueError(y_true.shape)
    return F.cross_entropy(y_pred, y_true, reduction="none")


@pytest.mark.parametrize("function", [of_labels_first, of_one_hot_first])
def test_a_loss_that_takes_its_labels_first_gets_them_first(function):
    backend = torch_of(function, dtypes=("float32",))
    problem = PROBLEM.with_(reduction=backend.capabilities.reductions[0])
    (found,) = findings(load()["accuracy.loss"], Trial(Subject.of(backend, "float32"), problem))
    assert not found.failed
    parts = backend.reproducer()
    assert f"{function.__name__}({'shares' if function is of_one_hot_first else 'target'}, logits" in parts.setup


def labels_by_keyword(logits, *, labels, reduction="mean"):
    return F.cross_entropy(logits, labels, reduction=reduction)


def both_by_keyword(*, labels, logits):
    return F.cross_entropy(logits, labels, reduction="none")


def one_hot_by_keyword(logits, *, targets):
    return of_one_hot_first(targets, logits)


class ByKeyword:
    def __init__(self, reduction="mean"):
        self.reduction = reduction

    def __call__(self, logits, *, target):
        return F.cross_entropy(logits, target, reduction=self.reduction)


@pytest.mark.parametrize("function", [labels_by_keyword, both_by_keyword, one_hot_by_keyword, ByKeyword])
def test_arrays_are_passed_by_keyword_where_a_loss_takes_them_so(function):
    backend = torch_of(function, dtypes=("float32",))
    problem = PROBLEM.with_(reduction=backend.capabilities.reductions[0])
    (found,) = findings(load()["accuracy.loss"], Trial(Subject.of(backend, "float32"), problem))
    assert not found.failed
    parts, scope = backend.reproducer(), {}
    call = f"cross_entropy(torch.zeros(1, 2), torch.tensor([0]), reduction={problem.reduction!r})"
    exec("\n".join([parts.setup, parts.calls["cross_entropy"], f"result = {call}"]), scope)
    assert torch.isclose(scope["result"].sum(), torch.tensor(2.0).log())


def test_a_keyword_that_is_no_array_is_none():
    def scaled(logits, target, *, labels):
        return labels * F.cross_entropy(logits, target)

    assert form_of(scaled, "torch:scaled", torch.as_tensor, np.asarray, None).keywords == ()


def focused(logits, target, gamma=0.0, alpha=-1, reduction="mean", dim=1):
    return F.cross_entropy(logits, target, reduction=reduction)


def heated(logits, target, temperature=1.0):
    return F.cross_entropy(logits / temperature, target)


def backward_of(logits, target, backward=F.cross_entropy, title="x" * 100):
    return backward(logits, target)


@pytest.mark.parametrize(
    ("function", "names", "said"),
    [
        (focused, "gamma, alpha", "they are taken for no options, and calls do not pass them: their defaults 0.0, -1"),
        (heated, "temperature", "it is taken for no option, and calls do not pass it: its default 1.0"),
        # Neither an address, which differs from run to run, nor a long text.
        (backward_of, "backward, title", "calls do not pass them: their defaults <function>, <str>"),
    ],
)
def test_parameters_that_are_no_option_are_said_with_their_defaults(function, names, said):
    left_out = torch_of(function, dtypes=("float32",)).capabilities.left_out
    ((_, why),) = [(what, why) for what, why in left_out if re.fullmatch(f"parameters? {names}", what)]
    assert said in why


def test_parameters_that_are_options_are_not_said():
    plain = torch_of(labels_by_keyword).capabilities.left_out
    assert not [what for what, _ in plain if what.startswith("parameter")]


def loss_and_log_sum_exp(logits, target, reduction="mean"):
    return F.cross_entropy(logits, target, reduction=reduction), logits.logsumexp(1)


def losses_and_gradient(labels, logits):
    return F.cross_entropy(logits, labels, reduction="none"), logits.softmax(1)


def fused_and_more(x, weight, target, reduction="mean"):
    return fused(x, weight, target, reduction=reduction), x, weight


def loss_and_rows_in_a_list(logits, target, reduction="mean"):
    rows = F.cross_entropy(logits, target, reduction="none")
    return [rows if reduction == "none" else getattr(rows, reduction)(), rows]


class LayerOfTwo(torch.nn.CrossEntropyLoss):
    def forward(self, logits, target):
        return super().forward(logits, target), None


@pytest.mark.parametrize(
    ("function", "items"),
    [
        (loss_and_log_sum_exp, 2),
        (losses_and_gradient, 2),
        (fused_and_more, 3),
        (LayerOfTwo, 2),
        (loss_and_rows_in_a_list, 2),
    ],
)
def test_the_first_item_of_a_tuple_is_judged_as_the_loss_and_that_is_said(function, items):
    backend = torch_of(function, dtypes=("float32",))
    said = f"it returned a tuple or list of {items}, whose first item is judged as the loss"
    assert ("items after the loss", said) in backend.capabilities.left_out
    if function is fused_and_more:
        assert judged(backend, *LINEAR) == []
    else:
        problem = PROBLEM.with_(reduction=backend.capabilities.reductions[0])
        (found,) = findings(load()["accuracy.loss"], Trial(Subject.of(backend, "float32"), problem))
        assert not found.failed
    parts = backend.reproducer()
    assert parts.setup.endswith("[0]")


def test_a_wrong_loss_is_wrong_before_other_items_too():
    def half_of_it(logits, target, reduction="mean"):
        loss, more = loss_and_log_sum_exp(logits, target, reduction)
        return loss / 2, more

    backend = torch_backend.from_callable(half_of_it, spec="torch:half_of_it", dtypes=("float32",))
    assert judged(backend, "accuracy.loss", "gradients.logits") == ["accuracy.loss", "gradients.logits"]


def gradient_first(logits, target):
    return logits.softmax(1), F.cross_entropy(logits, target)


def tuple_of_losses(logits, target):
    return tuple(F.cross_entropy(logits, target, reduction="none"))


def row_of_losses_in_a_list(logits, target):
    return [[loss.item() for loss in F.cross_entropy(logits, target, reduction="none")]]


def loss_alone_in_a_tuple(logits, target):
    return (F.cross_entropy(logits, target),)


def losses_alone_in_a_list(logits, target, reduction="none"):
    return [F.cross_entropy(logits, target, reduction=reduction)]


def fused_alone(x, weight, target, reduction="mean"):
    return (fused(x, weight, target, reduction=reduction),)


@pytest.mark.parametrize("function", [loss_alone_in_a_tuple, losses_alone_in_a_list, fused_alone])
def test_a_loss_alone_in_a_tuple_or_a_list_is_judged_and_that_is_said(function):
    backend = torch_of(function, dtypes=("float32",))
    remark = ("the tuple or list around the loss", "it has one item, which is judged as the loss")
    assert remark in backend.capabilities.left_out
    if function is fused_alone:
        assert judged(backend, *LINEAR) == []
    else:
        assert judged(backend, "accuracy.loss", "gradients.logits") == []
    assert backend.reproducer().setup.endswith("[0]")


@pytest.mark.parametrize("function", [gradient_first, tuple_of_losses, row_of_losses_in_a_list])
def test_a_tuple_or_a_list_without_a_loss_first_is_no_loss(function):
    backend = torch_of(function, dtypes=("float32",))
    assert "items after the loss" not in dict(backend.capabilities.left_out)
    assert isinstance(backend.cross_entropy(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)), tuple | list)


def test_a_linear_map_that_is_declared_may_have_its_labels_before_a_weight_of_another_name():
    backend = torch_of(declared_linear, dtypes=("float32",), form="linear_cross_entropy")
    assert judged(backend, *LINEAR) == []


def test_a_wrong_fused_linear_map_is_wrong_in_loss_and_gradients():
    assert judged(torch_of(fused_in_one_cotangent, dtypes=("float32",)), *LINEAR) == [*LINEAR]


def test_class_weights_are_no_option_of_a_linear_map():
    backend = torch_of(fused, dtypes=("float32",), gradient=False)
    assert not backend.capabilities.weight
    assert not hasattr(backend, "linear_cross_entropy_vjp")


def numpy_of(function, spec, **more):
    return numpy_backend.from_callable(function, spec=f"numpy:{spec}", dtypes=("float32",), **more)


def probabilities(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def of_the_last_axis(x):
    return np.log(probabilities(x))


@pytest.mark.parametrize("dotted", ["kernels.softmax", "kernels.my_function"])
def test_softmax_is_known_by_its_name_or_by_what_it_gives_and_takes_the_axis_of_the_classes(dotted):
    backend = numpy_of(probabilities, dotted)
    assert not hasattr(backend, "cross_entropy")
    assert backend.capabilities.spatial
    np.testing.assert_allclose(backend.softmax(np.ones((2, 4, 3), np.float32)), 0.25)
    assert judged(backend, "accuracy.softmax", "identities.softmax-rows-sum-to-one") == []


class OfLogits(torch.nn.Module):
    def forward(self, x):
        return torch.log_softmax(x, -1)


class NeedsClasses(OfLogits):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes


def test_a_layer_of_one_array_is_known_by_what_an_instance_gives():
    backend = torch_of(OfLogits, dtypes=("float32",))
    assert ("cross_entropy", "it is log_softmax by its results") in backend.capabilities.left_out
    assert judged(backend, "accuracy.log-softmax") == []
    assert not hasattr(torch_of(NeedsClasses, dtypes=("float32",)), "log_softmax")


def test_logarithms_are_known_by_what_they_give_and_spatial_classes_are_passed_on_the_last_axis():
    backend = numpy_of(of_the_last_axis, f"{__name__}.of_the_last_axis")
    assert backend.capabilities.spatial
    assert "on the last axis" in dict(backend.capabilities.left_out)["classes on axis 1"]
    assert judged(backend, "accuracy.log-softmax") == []
    parts, names = backend.reproducer(), {}
    exec("\n".join(["import numpy as np", parts.setup, parts.calls["log_softmax"]]), names)
    rng = np.random.default_rng(3)
    for shape in [(2, 3), (2, 3, 4), (2, 3, 4, 5), (0, 3, 2), (2, 3, 0)]:
        x = rng.normal(size=shape).astype(np.float32)
        expected = np.log(probabilities(x, axis=1)) if x.size else x
        np.testing.assert_allclose(backend.log_softmax(x), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(names["log_softmax"](x), backend.log_softmax(x))


def test_a_wrong_function_is_judged_as_what_it_is_called():
    backend = numpy_of(lambda x: 2 * probabilities(x), "kernels.softmax")
    assert judged(backend, "accuracy.softmax") == ["accuracy.softmax"]


class ShiftedOnly(torch.autograd.Function):
    """log_softmax whose backward forgets that the sum of the exponentials depends on the logits."""

    @staticmethod
    def forward(context, x):
        return F.log_softmax(x, 1)

    @staticmethod
    def backward(context, cotangent):
        return cotangent


def log_softmax(x):
    return F.log_softmax(x, 1)


def wrong_log_softmax(x):
    return ShiftedOnly.apply(x)


def forward_only_softmax(x):
    return torch.from_numpy(probabilities(x.detach().numpy()))


def test_the_gradient_of_log_softmax_alone_is_judged():
    assert judged(torch_of(log_softmax), "gradients.log-softmax") == []
    assert judged(torch_of(wrong_log_softmax), "gradients.log-softmax") == ["gradients.log-softmax"]


def test_a_softmax_without_a_backward_pass_has_no_gradient_and_says_why():
    backend = torch_of(forward_only_softmax, dtypes=("float32",))
    assert not hasattr(backend, "softmax_vjp")
    assert "does not require grad" in dict(backend.capabilities.left_out)["gradient"]
    assert judged(backend, "accuracy.softmax") == []


def nll(x, target, reduction="mean"):
    losses = -np.take_along_axis(x, target[:, None].astype(np.int64), 1)[:, 0]
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def nll_of_the_first(log_probs, target, reduction="mean"):
    return nll(log_probs[:1], target[:1], reduction)


def test_a_loss_of_log_probabilities_is_known_by_what_it_gives():
    backend = numpy_of(nll, "kernels.function")
    assert not hasattr(backend, "cross_entropy")
    assert judged(backend, "accuracy.nll-every-row-count") == []


def test_a_wrong_loss_of_log_probabilities_is_known_by_its_parameter():
    assert judged(numpy_of(nll_of_the_first, "kernels.function"), "accuracy.nll-every-row-count")


def loss_without_a_sum(logits, target, reduction="mean"):
    return nll(logits, target, reduction)


def test_what_takes_logits_is_no_loss_of_log_probabilities():
    backend = numpy_of(loss_without_a_sum, "kernels.function")
    assert judged(backend, "accuracy.loss") == ["accuracy.loss"]


def test_the_user_says_which_function_it_is():
    backend = numpy_of(nll, "kernels.function", form="cross_entropy")
    assert hasattr(backend, "cross_entropy")
    assert form_in(["no-weight", "form=log-softmax"]) == "log_softmax"
    assert claims_in(["form=nll_loss"]) == {}
    with pytest.raises(ValueError, match="unknown form 'softmx'"):
        claims_in(["form=softmx"])


def test_a_later_process_does_not_try_it_again():
    first = numpy_of(probabilities, "kernels.function")
    calls = []

    def counted(x, axis=-1):
        calls.append(x)
        return probabilities(x, axis)

    again = numpy_of(counted, "kernels.function", tried=first.tried)
    assert calls == []
    assert again.capabilities == first.capabilities
    again.softmax(np.ones((1, 2), np.float32))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("dotted", "call"),
    [
        ("torch.nn.functional.log_softmax", "log_softmax(torch.zeros(1, 2))"),
        ("torch.nn.Softmax", "softmax(torch.zeros(1, 2))"),
        ("torch.nn.functional.nll_loss", "nll_loss(torch.zeros(1, 2), torch.tensor([0]), reduction='sum')"),
        (
            "torch.nn.functional.linear_cross_entropy",
            "linear_cross_entropy(torch.zeros(1, 2), torch.zeros(3, 2), None, torch.tensor([0]), reduction='sum')",
        ),
    ],
)
def test_the_lines_of_a_script_define_the_function_under_its_own_name(dotted, call):
    module, _, name = dotted.rpartition(".")
    owner = torch.nn if module == "torch.nn" else F
    if not hasattr(owner, name):
        pytest.skip(f"this torch has no {dotted}")
    backend = torch_backend.from_callable(getattr(owner, name), spec=f"torch:{dotted}", dtypes=("float32",))
    parts, scope = backend.reproducer(), {}
    function = call.partition("(")[0]
    exec("\n".join([parts.setup, parts.calls[function], f"result = {call}"]), scope)
    assert torch.isfinite(scope["result"]).all()
