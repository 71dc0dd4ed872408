"""Functions of logits that are nan or infinite, and their effect on other rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import NON_FINITE_LOGITS
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.functions import (
    ANY_FUNCTION,
    function_call,
    function_finding,
    function_value,
    functions_of,
)
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.spoiled_rows import LEAKS, all_nan, with_spoiled_row
from xent_conformance.strategies.situations import SPOILED


@requirement(
    "extremes.nan-in-functions",
    "a nan logit makes softmax and log_softmax nan",
    source=SPOILED,
    derive=with_spoiled_row,
    needs=[ANY_FUNCTION, NON_FINITE_LOGITS],
    references=["https://github.com/tenstorrent/tt-metal/issues/56056"],
)
def test_a_nan_logit_makes_functions_of_its_row_nan(trial: Trial) -> Iterator[Finding]:
    """A nan among the logits of a row makes its logsumexp and entropy, and all of its softmax and log_softmax, nan:
    never a plausible number.
    """
    poisoned = np.asarray(np.isnan(trial.problem.logits_by_row()).any(axis=1))
    if poisoned.any():
        for name in functions_of(trial.subject):
            yield all_nan(name, function_value(trial, name), poisoned, function_call(trial, name))


@requirement(
    "extremes.other-rows-of-functions",
    "nan and infinity stay in their row of softmax and log_softmax",
    source=SPOILED,
    derive=with_spoiled_row,
    needs=[ANY_FUNCTION, NON_FINITE_LOGITS],
    references=LEAKS,
)
def test_nan_and_infinity_stay_in_their_row_of_functions(trial: Trial) -> Iterator[Finding]:
    """A row with nan or +inf, or of only -inf, leaves softmax, log_softmax, logsumexp and entropy of all other rows
    within their bounds. The row itself is not judged here.
    """
    for name in functions_of(trial.subject):
        yield function_finding(trial, name)
