"""What the words of the page mean: statuses, and the terms that a reader meets."""

from __future__ import annotations

from xent_conformance.records.record import Status

#: What each status means.
MEANINGS: dict[Status, str] = {
    Status.PASS: "every problem within its bound",
    Status.FAIL: "breaks a MUST",
    Status.WEAK: "breaks a SHOULD; the run does not fail for it",
    Status.CRASH: "the process died",
    Status.TIMEOUT: "no answer in time",
    Status.ERROR: "the suite or the adapter broke; says nothing about the backend",
    Status.DEVIATION: "a known failure, listed with a reason, still there",
    Status.NOT_APPLICABLE: "the backend does not claim what it is about",
    Status.OBSERVED: "what it does, without judgement",
    Status.VACUOUS: "no problem met the condition that it is about: nothing was shown",
}
GLOSSARY: dict[str, str] = {
    "requirement": "a statement about a backend: one it MUST satisfy, one it SHOULD satisfy, or one that only observes",
    "backend": "one implementation under test; in the matrix by its worst result over the dtypes",
    "problem": "one call as exact data: logits, target and all options",
    "cause": "failures that appear to be the same fault: the same kind of failure, and smallest problems"
    " that need the same things to fail",
    "bound": "the largest error that a correct implementation may make on a problem, derived from the precision that"
    " the backend declares",
    "error / bound": "the error as a multiple of the bound: above 1 it fails; the margin is what is left up to 1",
    "∞ times the bound": "a value that is not finite where it should be, or an answer where there should be none",
    "ULP": "unit in the last place: the distance between neighbouring numbers of the dtype at the exact result",
    "met its condition": "a problem tells something about a requirement only where it has what the requirement is"
    " about, such as an ignored row",
    "worst-case precision tier": "the most precise kind of arithmetic that explains the error of every problem",
    "form A, form B": "loss as (x_target − max) − log(sum of exp), or as log-sum-exp − x_target, which loses digits to"
    " cancellation",
    "convention": "a point on which respected frameworks differ; each backend is held to its own choice",
    "set aside": "problems in the situation of a cause that was found are left out, to look for others behind it",
}
