"""Determines by trial calls on small batches what a callable supports, beyond what its signature says.

Everything is claimed except what the callable rejects with an error under each of its reductions; that is listed in
``Capabilities.left_out`` with the reason. A wrong value, a wrong shape, or an error that indicates a fault does not
remove a claim, so that the requirements report it. A callable without the option ``reduction`` claims the one that it
computes. Options that the signature names are claimed unless the callable raises NotImplementedError, others if
passing them changes the result. How many rows and classes it claims depends on how long they take (see ``limits``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from xent_backends.callables.batches import (
    BEYOND,
    FLAT,
    SPATIAL,
    UNBATCHED,
    Problem,
    Shapes,
    distributions_of,
    logits_of,
    problem_of,
)
from xent_backends.callables.calls import Calls
from xent_backends.callables.compilation import cost_of
from xent_backends.callables.limits import limits_of
from xent_backends.callables.signature import EXTRAS, FROM_LOGITS, Signature
from xent_backends.validation import FLOATING, INTEGERS, REDUCTIONS
from xent_conformance.interface import Capabilities

#: The options that a callable may claim, with values that change the loss of ``FLAT``, whatever the reduction.
EFFECTIVE: Mapping[str, Any] = {
    "weight": np.array([1.0, 2.0, 4.0]),
    "ignore_index": 1,
    "label_smoothing": 0.5,
    "divisor": 8.0,
    "lse_square_scale": 0.5,
    "logit_scale": 2.0,
    # Smaller than some logits of the batch, so that a clamp has an effect as well.
    "softcap": 0.5,
}
#: Amounts of smoothing to try, in this order: some callables reject 1.
SMOOTHINGS = (1.0, 0.99, 0.9, EFFECTIVE["label_smoothing"])
#: The rows of a batch are repeated this many times to distinguish a sum from a mean.
REPEATS = 4
#: The reason for which an option is left out that a callable accepts and does not use.
NO_EFFECT = "passing it changed nothing"
#: The reason for which weights are left out that are not those of classes.
OF_ROWS = "it takes a weight for each row, and none for each class"


class Trial(Calls):
    """Determines the claims of a callable; ``left_out`` has what it rejects, with the reasons."""

    def claims(
        self,
        dtypes: tuple[str, ...] | None,
        *,
        expendable: bool,
        distributions: bool = False,
        flat: bool = False,
        shares: bool = True,
    ) -> Capabilities:
        """Determine the claims.

        Args:
            dtypes: Dtypes of logits that the user has declared, which are not tried; None to try all.
            expendable: Whether an invalid label affects no more than its own call.
            distributions: Whether the callable takes only target probabilities, made here from class indices.
            flat: Whether its form has only logits (N, C).
            shares: Whether its form has probability targets.
        """
        reductions = self._reductions(dtypes or FLOATING)
        # A callable that rejects every dtype claims float32: the smoke test of the run then reports its error.
        claimed = dtypes or self.left_out.accepted(
            "logits", {d: self.refusal([problem_of(d)]) for d in FLOATING}, "float32"
        )
        self.dtype = "float32" if "float32" in claimed else claimed[0]
        if not self.ways[0]:
            reductions = (self._computed(claimed),)
        self._try_options()
        smoothing = self._largest_smoothing()
        alone = np.zeros((2, 1), self.dtype), np.zeros(2, np.int64)
        weights = self._takes_weights()
        several = not self._takes([alone], "a single class") or (weights and self._needs_classes_to_weight(alone))
        sentinel = self._sentinel(expendable=expendable)
        unbatched = not flat and self._takes([problem_of(self.dtype, UNBATCHED)], "unbatched")
        spatial = not flat and self._spatial()
        compiling = cost_of(self.answer, partial(problem_of, self.dtype), self.signature.options, reductions)
        limits = limits_of(partial(self._answers, reductions[0]), compiled=compiling.shape > 0, square=flat)
        others = [*([UNBATCHED] if unbatched else []), *(SPATIAL if spatial else ())]
        # For a compiled callable, each dtype of labels with each rank of logits would be another compilation.
        large = not compiling and limits.allow(BEYOND)
        indices, tolerated = self._labels([FLAT, *(() if compiling else others)], large=large)
        probabilities = shares and self._takes([distributions_of(self.dtype)], "probability_targets")
        options: dict[str, Any] = {name: name in self.signature.options for name in EFFECTIVE}
        wide = () if compiling else self._wide_weights(claimed)
        return Capabilities(
            logits_dtypes=claimed,
            target_dtypes=indices,
            tolerated_target_dtypes=tolerated,
            probability_targets=probabilities,
            **options,
            weight_dtypes=wide,
            negative_weights=not weights or self._takes_negative_weights(),
            default_ignore_index=sentinel,
            max_label_smoothing=smoothing,
            min_classes=2 if several else 1,
            reductions=reductions,
            unbatched=unbatched,
            spatial=spatial,
            finite_logits_only=not self._takes_masks(distributions=distributions, products=flat),
            validation="adapter" if distributions else "library",
            **compiling.claims,
            **limits.claims,
            left_out=(*self.left_out, *limits.left_out),
        )

    def read_logits(self) -> None:
        """Pass the value of ``from_logits``, if there is one, with which adding a number to all logits changes nothing.

        If that holds for both or for neither, it is the default, or else True.
        """
        default = self.signature.from_logits
        if default is not None:
            given = {value: self.signature.always(FROM_LOGITS, value) for value in (True, False)}
            invariant = [value for value, signature in given.items() if self._is_invariant(signature)]
            value = invariant[0] if len(invariant) == 1 else default or not invariant
            self.signature = given[value]

    def _is_invariant(self, signature: Signature) -> bool:
        """Whether adding a number to all logits changes nothing, with class indices or with target probabilities."""
        trial = Trial(self.function, signature, self.convert, self.back)
        for logits, target in (problem_of("float32"), distributions_of("float32")):
            losses = [trial.answer((logits + shift, target), way).loss for way in signature.ways for shift in (0, 1)]
            pairs = zip(losses[::2], losses[1::2], strict=True)
            if any(a is not None and b is not None and np.allclose(a, b, rtol=0.01) for a, b in pairs):
                return True
        return False

    def distributions_only(self) -> str | None:
        """Why class indices are rejected, if the callable returns a loss for target probabilities; None otherwise."""
        for way in self.signature.ways:
            refused = self.refusal([problem_of(d) for d in FLOATING], way)
            if refused is None:
                return None
            for d in FLOATING:
                loss = self.answer((logits_of(FLAT[0], d), np.eye(3)[:2].astype(d)), way).loss
                if loss is not None and loss.shape in ((2,), ()):
                    return refused
        return None

    def _takes(self, problems: Sequence[Problem], what: str) -> bool:
        """Whether some call of these problems is not rejected."""
        return self.left_out.claimed_unless(self.refusal(problems), what)

    def _answers(self, reduction: str, shapes: Shapes) -> bool:
        """Whether a call with logits and labels of these shapes has a result."""
        return self.answer(problem_of(self.dtype, shapes), {"reduction": reduction}).loss is not None

    def _reductions(self, dtypes: tuple[str, ...]) -> tuple[str, ...]:
        """The values that the option ``reduction`` takes; empty if there is no such option or it has no effect."""
        signature = self.signature
        if "reduction" not in signature.options:
            return ()
        problems = [problem_of(d) for d in sorted(dtypes, key=lambda d: d != "float32")]
        refused = {r: self.refusal(problems, {"reduction": r}) for r in REDUCTIONS}
        taken = [r for r, why in refused.items() if why is None]
        if "reduction" in signature.unnamed:
            losses = [self.answer(problems[0], {"reduction": r}).loss for r in taken]
            why = NO_EFFECT if len(taken) > 1 and all(_same(losses[0], loss) for loss in losses) else None
            if not self.left_out.claimed_unless(why if taken else refused["mean"], "reduction"):
                self.signature = signature.without("reduction")
                return ()
        # If every reduction is rejected all are claimed: the smoke test of the run then reports the error.
        claimed = self.left_out.accepted("reduction", refused, "") if taken else REDUCTIONS
        self.ways = tuple({"reduction": r} for r in claimed)
        return claimed

    def _computed(self, dtypes: tuple[str, ...]) -> str:
        """The reduction that a callable without that option computes, in most of its dtypes if they differ."""
        counts = Counter(map(self._computed_for, sorted(dtypes, key=lambda d: d != self.dtype)))
        ((only, _),) = counts.most_common(1)
        self.signature = self.signature.computing(only)
        return only

    def _computed_for(self, dtype: str) -> str:
        """The reduction computed in one dtype: "none" if there are several losses, "sum" if the loss grows with N."""
        logits, target = problem_of(dtype)
        once = self.answer((logits, target), {}).loss
        if once is None or once.size > 1:
            return "mean" if once is None else "none"
        again = self.answer((np.tile(logits, (REPEATS, 1)), np.tile(target, REPEATS)), {}).loss
        return "sum" if again is not None and abs(again.sum()) > np.sqrt(REPEATS) * abs(once.sum()) else "mean"

    def _try_options(self) -> None:
        """Leave out options that raise NotImplementedError, and unnamed ones that have no effect."""
        problem = problem_of(self.dtype)
        for name, value in EFFECTIVE.items():
            if name not in self.signature.options:
                continue
            # Other names, and those of options of language models, may mean something else in a library.
            uncertain = name in {*self.signature.unnamed, *dict(self.signature.renamed), *EXTRAS}
            option = {name: value}
            refused = self.refusal([problem], option)
            why = refused if uncertain or refused is None else self.refusal([problem], option, NotImplementedError)
            if why is None and uncertain and not self._changes(problem, option):
                why = NO_EFFECT
            if name == "weight" and refused is not None:
                of_rows = {name: value[: len(problem[1])]}
                why = OF_ROWS if self.refusal([problem], of_rows) is None else why
            if not self.left_out.claimed_unless(why, name):
                self.signature = self.signature.without(name)

    def _wide_weights(self, dtypes: tuple[str, ...]) -> tuple[str, ...]:
        """float32, if class weights of that dtype are accepted with each half format of logits that is claimed."""
        halves = [name for name in dtypes if name in ("float16", "bfloat16")]
        if "weight" not in self.signature.options or not halves or self.dtype != "float32":
            return ()
        weight = {"weight": EFFECTIVE["weight"]}
        return ("float32",) if all(self.refusal([problem_of(name)], weight) is None for name in halves) else ()

    def _takes_weights(self) -> bool:
        """Whether class weights are an option, and positive ones of several classes are accepted."""
        weight = {"weight": EFFECTIVE["weight"]}
        return "weight" in self.signature.options and self.refusal([problem_of(self.dtype)], weight) is None

    def _takes_negative_weights(self) -> bool:
        """Whether class weights below zero are accepted as those above it are."""
        why = self.refusal([problem_of(self.dtype)], {"weight": -EFFECTIVE["weight"]})
        return self.left_out.claimed_unless(why, "negative_weights")

    def _needs_classes_to_weight(self, alone: Problem) -> bool:
        """Whether a ValueError rejects class weights for a single class, where those for several are accepted.

        Another exception is a failure, such as that of an index into an array whose only axis was removed.
        """
        why = self.refusal([alone], {"weight": EFFECTIVE["weight"][:1]}, ValueError)
        return not self.left_out.claimed_unless(why and f"with class weights {why}", "a single class")

    def _largest_smoothing(self) -> float:
        """The largest accepted amount of SMOOTHINGS; 1 if all are rejected, because that is a fault and no limit."""
        if "label_smoothing" not in self.signature.options:
            return 1.0
        problem, first = problem_of(self.dtype), None
        for amount in SMOOTHINGS:
            why = self.refusal([problem], {"label_smoothing": amount}, ValueError)
            if why is None:
                if first is not None:
                    self.left_out.append(("label_smoothing=1", f"{first}; {amount} is the largest that is tried"))
                return amount
            first = first or why
        return 1.0

    def _changes(self, problem: Problem, option: Mapping[str, Any]) -> bool:
        """Whether passing an option changes the loss under any reduction, or a call has no result."""
        for way in self.ways:
            plain, other = (self.answer(problem, {**way, **more}).loss for more in ({}, option))
            if plain is None or other is None or not _same(plain, other):
                return True
        return False

    def _sentinel(self, *, expendable: bool) -> int | None:
        """The label that is ignored by default. If the signature does not name it, it is tried."""
        sentinel = self.signature.default_ignore_index
        if sentinel is None:
            return None
        if expendable and "ignore_index" not in self.signature.options - self.signature.unnamed:
            answer = self.with_label(sentinel)
            nan = answer.loss is not None and bool(np.isnan(answer.loss).any())
            why = answer.refusal or (f"a label of {sentinel} gave nan" if nan else None)
            return sentinel if self.left_out.claimed_unless(why, "default_ignore_index") else None
        return sentinel

    def _spatial(self) -> bool:
        """Whether logits with one and with two spatial dimensions are accepted."""
        for shapes in SPATIAL:
            why = self.refusal([problem_of(self.dtype, shapes)])
            if why is not None:
                return self.left_out.claimed_unless(f"{why} for logits {shapes[0]}", "spatial")
        return True

    def _takes_masks(self, *, distributions: bool, products: bool) -> bool:
        """Whether logits of -inf are accepted where they are not the target's.

        Args:
            distributions: Whether the target has probabilities: one of zero must then also add nothing to the loss.
            products: Whether the logits are products with a matrix, here of zero and infinity, so that none is tried.
        """
        if products:
            return True
        if distributions:
            answer = self.answer((np.array([[0, -np.inf]]).astype(self.dtype), np.array([0])), self.ways[0])
            nan = answer.loss is not None and bool(np.isnan(answer.loss).any())
            why = "a share of zero on a logit of -inf gave nan" if nan else answer.refusal
        else:
            logits, target = problem_of(self.dtype)
            # Labels are 0 and 1.
            logits[:, -1] = -np.inf
            # A callable that rejects finite logits as well says nothing about infinite ones.
            why = self.refusal([(logits, target)]) if self.refusal([problem_of(self.dtype)]) is None else None
        return self.left_out.claimed_unless(why, "infinite logits")

    def _labels(self, ranks: list[Shapes], *, large: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Dtypes of labels that are accepted with logits of all ranks and sizes, and those that are with some of them.

        Args:
            ranks: Shapes of logits and labels.
            large: Whether to try also more classes than 8-bit labels can represent.
        """
        refused: dict[str, str | None] = {}
        partly: dict[str, str] = {}
        # A callable may also have a limit for the number of classes, whatever the dtype of labels.
        many = [BEYOND] if large and self.refusal([problem_of(self.dtype, BEYOND)]) is None else []
        for name in INTEGERS:
            tried = [(shapes[0], self.refusal([problem_of(self.dtype, shapes, name)])) for shapes in ranks]
            beyond = [shapes for shapes in many if np.iinfo(name).max < shapes[0][1]]
            if any(why is None for _, why in tried):
                tried += [(shapes[0], self.refusal([problem_of(self.dtype, shapes, name)])) for shapes in beyond]
            reasons = [f"{why} for logits {shape}" for shape, why in tried if why is not None]
            if 0 < len(reasons) < len(tried):
                partly[name] = reasons[0]
            else:
                refused[name] = tried[0][1]
        claimed = self.left_out.accepted("labels", refused, "int64")
        self.left_out += [(f"labels {name}", why) for name, why in partly.items()]
        return claimed, tuple(partly)


def _same(loss: Any, other: Any) -> bool:
    """Whether both calls returned a loss, and the losses are equal."""
    return loss is not None and other is not None and np.array_equal(loss, other, equal_nan=True)
