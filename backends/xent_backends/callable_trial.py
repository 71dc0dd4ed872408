"""What a callable claims that its signature does not say: it is tried on tiny batches.

Only what the callable refuses by an error, under each of its reductions, is not claimed, and it is left out with the
reason. A wrong value, a wrong shape or an error that shows a fault keeps the claim: finding that out is up to the
requirements. A callable without ``reduction`` claims the one that it is seen to compute. Options that are taken without
being named are claimed if they change the answer, those that are named unless they are not implemented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from xent_backends.callable_batches import (
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
from xent_backends.callable_calls import Calls
from xent_backends.callable_compilation import cost_of
from xent_backends.validation import FLOATING, INTEGERS, REDUCTIONS
from xent_conformance.interface import Capabilities

#: Values of options that change the loss of ``FLAT``, whatever the reduction.
EFFECTIVE: Mapping[str, Any] = {"weight": np.array([1.0, 2.0, 4.0]), "ignore_index": 1, "label_smoothing": 0.5}
#: Amounts of smoothing from all of it on: some take less than one.
SMOOTHINGS = (1.0, 0.99, 0.9, EFFECTIVE["label_smoothing"])
#: How often the rows of a batch are repeated to tell a sum from a mean.
REPEATS = 4
#: Why an option is left out that is taken and not used.
NO_EFFECT = "passing it changed nothing"


class Trial(Calls):
    """What a callable claims, and what it does not: ``left_out`` has that with the reasons."""

    def claims(
        self,
        dtypes: tuple[str, ...] | None,
        *,
        expendable: bool,
        distributions: bool = False,
        flat: bool = False,
        shares: bool = True,
    ) -> Capabilities:
        """What the callable claims. Logits dtypes that are given go untried; ``distributions`` is all that it takes.

        Only ``flat`` logits (N, C) are tried, and no ``shares`` as targets, where its form has no others.
        """
        reductions = self._reductions(dtypes or FLOATING)
        # A callable that accepts nothing is left to fail in the suite's own smoke test, with its own message.
        claimed = dtypes or self._accepted("logits", {d: self.refusal([problem_of(d)]) for d in FLOATING}, "float32")
        self.dtype = "float32" if "float32" in claimed else claimed[0]
        if not self.ways[0]:
            reductions = (self._computed(claimed),)
        self._try_options()
        smoothing = self._largest_smoothing()
        alone = np.zeros((2, 1), self.dtype), np.zeros(2, np.int64)
        several = not self.kept("a single class", self.refusal([alone]))
        sentinel = self._sentinel(expendable=expendable)
        unbatched = not flat and self.kept("unbatched", self.refusal([problem_of(self.dtype, UNBATCHED)]))
        spatial = not flat and self._spatial(distributions=distributions)
        compiling = cost_of(self.answer, partial(problem_of, self.dtype), self.signature.options, reductions[0])
        others = [*([UNBATCHED] if unbatched else []), *(SPATIAL if spatial else ())]
        # Each dtype in each rank would be a compilation.
        indices, tolerated = self._labels([FLAT, *(() if compiling else others)], large=not compiling)
        probabilities = shares and self.kept("probability_targets", self.refusal([distributions_of(self.dtype)]))
        options = self.signature.options
        return Capabilities(
            logits_dtypes=claimed,
            target_dtypes=indices,
            tolerated_target_dtypes=tolerated,
            probability_targets=probabilities,
            weight="weight" in options,
            ignore_index="ignore_index" in options,
            default_ignore_index=sentinel,
            label_smoothing="label_smoothing" in options,
            max_label_smoothing=smoothing,
            min_classes=2 if several else 1,
            reductions=reductions,
            unbatched=unbatched,
            spatial=spatial,
            finite_logits_only=distributions and not self._takes_masks(),
            validation="adapter" if distributions else "library",
            **compiling.claims,
            left_out=tuple(self.left_out),
        )

    def distributions_only(self) -> str | None:
        """Why class indices are refused by a callable that gives a loss of distributions; None for any other."""
        options = self.signature.options
        ways = ({}, *({"reduction": r} for r in REDUCTIONS if "reduction" in options))
        for way in ways:
            refused = self.refusal([problem_of(d) for d in FLOATING], way)
            if refused is None:
                return None
            for d in FLOATING:
                loss = self.answer((logits_of(FLAT[0], d), np.eye(3)[:2].astype(d)), way).loss
                if loss is not None and loss.shape in ((2,), ()):
                    return refused
        return None

    def _accepted(self, what: str, refused: Mapping[str, str | None], otherwise: str) -> tuple[str, ...]:
        """The names without a refusal; those with one are left out together, with the first reason."""
        names = [name for name, why in refused.items() if why is not None]
        if names:
            self.kept(f"{what} {', '.join(names)}", refused[names[0]])
        return tuple(name for name in refused if name not in names) or (otherwise,)

    def _reductions(self, dtypes: tuple[str, ...]) -> tuple[str, ...]:
        """Those that the option ``reduction`` may have; the option is dropped where it only seems to be one."""
        signature = self.signature
        if "reduction" not in signature.options:
            return ()
        problems = [problem_of(d) for d in sorted(dtypes, key=lambda d: d != "float32")]
        refused = {r: self.refusal(problems, {"reduction": r}) for r in REDUCTIONS}
        taken = [r for r, why in refused.items() if why is None]
        if "reduction" in signature.unnamed:
            losses = [self.answer(problems[0], {"reduction": r}).loss for r in taken]
            why = NO_EFFECT if len(taken) > 1 and all(_same(losses[0], loss) for loss in losses) else None
            if not self.kept("reduction", why if taken else refused["mean"]):
                self.signature = signature.without("reduction")
                return ()
        # One that takes no reduction at all is left to the suite's smoke test, like one that takes no dtype.
        found = self._accepted("reduction", refused, "") if taken else REDUCTIONS
        self.ways = tuple({"reduction": r} for r in found)
        return found

    def _computed(self, dtypes: tuple[str, ...]) -> str:
        """What a callable without ``reduction`` computes, by most of its dtypes: the others are wrong."""
        found = Counter(map(self._computed_for, sorted(dtypes, key=lambda d: d != self.dtype)))
        ((only, _),) = found.most_common(1)
        self.signature = self.signature.computing(only)
        return only

    def _computed_for(self, dtype: str) -> str:
        """A loss for each row, or, of a number, whether it grows with the rows: its scale does not matter."""
        logits, target = problem_of(dtype)
        once = self.answer((logits, target), {}).loss
        if once is None or once.size > 1:
            return "mean" if once is None else "none"
        again = self.answer((np.tile(logits, (REPEATS, 1)), np.tile(target, REPEATS)), {}).loss
        return "sum" if again is not None and abs(again.sum()) > np.sqrt(REPEATS) * abs(once.sum()) else "mean"

    def _try_options(self) -> None:
        """Leave out the options that are not implemented, and of those without a name what has no effect."""
        problem = problem_of(self.dtype)
        for name, value in EFFECTIVE.items():
            if name not in self.signature.options:
                continue
            unnamed, option = name in self.signature.unnamed, {name: value}
            why = self.refusal([problem], option, Exception if unnamed else NotImplementedError)
            if why is None and unnamed and not self._changes(problem, option):
                why = NO_EFFECT
            if not self.kept(name, why):
                self.signature = self.signature.without(name)

    def _largest_smoothing(self) -> float:
        """The largest amount that is taken, of some; all of it where none is, since that is no range but a fault."""
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
        """Whether passing an option makes a difference under any reduction; so it is where there is no answer."""
        for way in self.ways:
            plain, other = (self.answer(problem, {**way, **more}).loss for more in ({}, option))
            if plain is None or other is None or not _same(plain, other):
                return True
        return False

    def _sentinel(self, *, expendable: bool) -> int | None:
        """What is ignored by default: where no signature says so, only what is observed to be accepted."""
        sentinel = self.signature.default_ignore_index
        if sentinel is None or "ignore_index" not in self.signature.options:
            return None
        if expendable and "ignore_index" in self.signature.unnamed:
            answer = self.with_label(sentinel)
            nan = answer.loss is not None and bool(np.isnan(answer.loss).any())
            why = answer.refusal or (f"a label of {sentinel} gave nan" if nan else None)
            return sentinel if self.kept("default_ignore_index", why) else None
        return sentinel

    def _spatial(self, *, distributions: bool) -> bool:
        """Whether spatial dimensions are accepted, one and two of them."""
        for shapes in SPATIAL:
            why = self.refusal([problem_of(self.dtype, shapes)])
            if why is not None:
                return self.kept("spatial", f"{why} for logits {shapes[0]}")
        return self.kept("spatial", "its classes are on the last axis" if distributions and self._last() else None)

    def _last(self) -> bool:
        """Whether a callable of distributions has its classes on the last axis instead of axis 1."""
        logits = logits_of((2, 3, 2), self.dtype)
        shares = np.moveaxis(np.eye(3)[[[0, 1], [2, 2]]], -1, 1).astype(self.dtype)
        found, last = (
            self.answer(problem, self.ways[0]).loss
            for problem in ((logits, shares), (logits.reshape(-1, 2), shares.reshape(-1, 2)))
        )
        return found is not None and last is not None and np.isclose(found.mean(), last.mean(), rtol=0.02, atol=1e-3)

    def _takes_masks(self) -> bool:
        """Whether a share of zero on a logit of -inf counts nothing."""
        answer = self.answer((np.array([[0, -np.inf]]).astype(self.dtype), np.array([0])), self.ways[0])
        nan = answer.loss is not None and bool(np.isnan(answer.loss).any())
        why = "a share of zero on a logit of -inf gave nan" if nan else answer.refusal
        return self.kept("infinite logits", why)

    def _labels(self, ranks: list[Shapes], *, large: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Dtypes of labels that are accepted with logits of every rank and size, and those that are with some only.

        ``large``: also with more classes than bytes tell apart.
        """
        refused: dict[str, str | None] = {}
        partly: dict[str, str] = {}
        # How many classes are taken at all is no matter of the labels.
        many = [BEYOND] if large and self.refusal([problem_of(self.dtype, BEYOND)]) is None else []
        for name in INTEGERS:
            found = [(shapes[0], self.refusal([problem_of(self.dtype, shapes, name)])) for shapes in ranks]
            beyond = [shapes for shapes in many if np.iinfo(name).max < shapes[0][1]]
            if any(why is None for _, why in found):
                found += [(shapes[0], self.refusal([problem_of(self.dtype, shapes, name)])) for shapes in beyond]
            reasons = [f"{why} for logits {shape}" for shape, why in found if why is not None]
            if 0 < len(reasons) < len(found):
                partly[name] = reasons[0]
            else:
                refused[name] = found[0][1]
        claimed = self._accepted("labels", refused, "int64")
        return claimed, tuple(name for name, why in partly.items() if not self.kept(f"labels {name}", why))


def _same(loss: Any, other: Any) -> bool:
    """Whether two losses are there, and equal."""
    return loss is not None and other is not None and np.array_equal(loss, other, equal_nan=True)
