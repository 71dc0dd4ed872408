"""Findings: the results of single comparisons, one type for each way of being wrong.

Every type carries the calls that it is about, the wrong one first, and renders its own message, its fields of the
record and its lines of a script.
"""

from xent_conformance.judging.findings.base import Declined, Finding, Held, ScriptCall
from xent_conformance.judging.findings.effects import (
    InputChanged,
    ResultChanged,
    ResultIsInput,
    StrayRead,
    StrayWrite,
    SurroundingsChanged,
)
from xent_conformance.judging.findings.forms import Missing, NoResult, WrongForm
from xent_conformance.judging.findings.lost import Lost
from xent_conformance.judging.findings.numbers import (
    Compared,
    Disagreement,
    Expected,
    NumberAccepted,
    WrongConvention,
    compare,
)
from xent_conformance.judging.findings.rejections import Accepted, Raised, WrongMessage
from xent_conformance.judging.findings.repeats import NotReadAnew, NotRepeatable, NotThreadSafe, Repeated

__all__ = [
    "Accepted",
    "Compared",
    "Declined",
    "Disagreement",
    "Expected",
    "Finding",
    "Held",
    "InputChanged",
    "Lost",
    "Missing",
    "NoResult",
    "NotReadAnew",
    "NotRepeatable",
    "NotThreadSafe",
    "NumberAccepted",
    "Raised",
    "Repeated",
    "ResultChanged",
    "ResultIsInput",
    "ScriptCall",
    "StrayRead",
    "StrayWrite",
    "SurroundingsChanged",
    "WrongConvention",
    "WrongForm",
    "WrongMessage",
    "compare",
]
