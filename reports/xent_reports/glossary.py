"""The glossary of the page: statuses and terms."""

from __future__ import annotations

from xent_conformance.records.status import Status

#: What each status means.
MEANINGS: dict[Status, str] = {
    Status.PASS: "every problem within its bound",
    Status.FAIL: "breaks a MUST",
    Status.WEAK: "breaks a SHOULD; the run does not fail for it",
    Status.CRASH: "the process died",
    Status.TIMEOUT: "no answer in time",
    Status.ERROR: "the suite or the adapter broke; says nothing about the backend",
    Status.DEVIATION: "a known failure, listed with a reason; it still occurs",
    Status.NOT_APPLICABLE: "the backend does not claim the capability that it is about",
    Status.OBSERVED: "behaviour that is recorded, not judged",
    Status.VACUOUS: "no problem met its condition, so nothing was tested",
}
GLOSSARY: dict[str, str] = {
    "requirement": "a statement about a backend: one it MUST satisfy, one it SHOULD satisfy, or one that only observes",
    "backend": "one implementation under test; in the matrix by its worst result over the dtypes",
    "problem": "one call as exact data: logits, target and all options",
    "cause": "failures that appear to be the same fault: the same kind of failure, and smallest problems"
    " that need the same things to fail",
    "perhaps only with": "the smallest problem has this property, and whether it fails without it could not be decided;"
    " “with the input shown” says the same of more than two properties",
    "bound": "the largest error that a correct implementation may make on a problem, derived from the precision that"
    " the backend declares",
    "error / bound": "the error as a multiple of the bound: above 1 it fails; the margin is what remains up to 1",
    "∞ times the bound": "a value that is not finite where it should be, or an answer where there should be none",
    "ULP": "unit in the last place: the distance between neighbouring numbers of the dtype at the exact result",
    "met its condition": "a problem tests a requirement only if it contains what the requirement is about, such as"
    " an ignored row",
    "worst-case precision tier": "the most precise kind of arithmetic that explains the error of every problem",
    "form A, form B": "loss as (x_target − max) − log(sum of exp), or as log-sum-exp − x_target, which loses digits to"
    " cancellation",
    "convention": "a point on which major frameworks differ; each backend is judged by its own choice",
    "set aside": "a problem in the situation of a known cause is not reduced, so that other causes can show",
}
