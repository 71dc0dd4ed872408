"""Verdict lines with failures, for tests that group these into causes."""

from xent_conformance.records.causes import causes
from xent_conformance.records.lines import ArrayLine, ExceptionLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.status import Level, Status

SMALL = ArrayLine(dtype="float32", shape=(1, 2), values=(0.0, 1.0))
LABEL = ArrayLine(dtype="int64", shape=(1,), values=(0,))
#: What two requirements that are about an option cannot decide.
UNKNOWNS = ("smoothing",), ("probability targets", "targets that do not sum to 1")


def verdict(requirement, *failures, dtype="float32", backend="b", level=Level.MUST, status=Status.FAIL):
    return VerdictLine(
        backend=backend,
        requirement=requirement,
        dtype=dtype,
        device="cpu",
        status=status,
        level=level,
        examples=1,
        exercised=1,
        failures=failures,
    )


def failure(*situation, undecided=(), kind="wrong-value", raised=None, size=2, quantity="loss", **more):
    return Failure(
        **more,
        kind=kind,
        quantity=quantity,
        message="loss is 1, expected 2",
        exception=raised,
        situation=situation,
        undecided=undecided,
        problem=ProblemLine(
            logits=ArrayLine(dtype="float32", shape=(1, size), values=(0.0,) * size), target=LABEL, reduction="none"
        ),
    )


def raised(line, kind="ValueError", message="no"):
    return ExceptionLine(type=kind, message=message, file="library.py", line=line)


def grouped(*verdicts):
    return [set(cause.requirements) for cause in causes(verdicts)]
