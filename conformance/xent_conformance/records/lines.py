"""The types of the lines of a record, schema version 2.

A record is a JSON Lines file: a Header, a VerdictLine for each verdict, a Footer. Writer, reader and reports use these
types, and the JSON Schema is made from them; they are the only definition of the fields. Fields with a default may be
absent; unknown fields are ignored (CONTRIBUTING has the policy).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xent_conformance.records.plain import Number, Scalar, Values
from xent_conformance.records.status import Level, Status

SCHEMA_VERSION: Literal[2] = 2
#: Limits for a record that is read. A report's matrix has backends, requirements and dtypes; its table of claims has
#: fields and backends.
MAX_BACKENDS, MAX_REQUIREMENTS, MAX_FIELDS = 64, 1000, 200
#: Most source files of a backend.
MAX_SOURCES = 1000
#: Most entries of one verdict: bins of class counts, deviations, failures; most axes of an array.
MAX_BINS, MAX_DEVIATIONS, MAX_FAILURES, MAX_AXES = 64, 100, 100, 64
#: Longest name, in characters. Names of this suite have at most about 50.
MAX_NAME = 1 << 14
#: The type of the finding for calls that did not return.
LOST = "lost"

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Count = Annotated[int, Meta(ge=0)]
Axes = Annotated[tuple[int, ...], Meta(max_length=MAX_AXES)]
Shape = Annotated[tuple[Count, ...], Meta(max_length=MAX_AXES)]
Fields = Annotated[dict[str, str], Meta(max_length=MAX_FIELDS)]


class BackendLine(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An implementation under test."""

    name: Name
    device: str
    versions: Annotated[Fields, Meta(description="library to version, the library under test first")]
    sources: Annotated[dict[str, str], Meta(max_length=MAX_SOURCES, description="SHA-256 of its files, by module")] = {}
    capabilities: Annotated[
        dict[str, Any],
        Meta(max_length=MAX_FIELDS, description="field to value; precision: dtype to its fields, or null"),
    ]
    conventions: Fields
    documentation: Annotated[dict[str, str], Meta(description="convention to the address that states it")] = {}
    basis: Annotated[
        Fields, Meta(description="convention to what it rests on, where that is not documentation or the default")
    ] = {}
    spec: Annotated[str, Meta(description="what was given on the command line")] = ""
    forms: Annotated[tuple[str, ...], Meta(description="optional protocols it satisfies")] = ()
    tried: Annotated[bool, Meta(description="whether it is a callable, whose claims follow from trial calls")] = False
    unavailable: Annotated[str | None, Meta(description="why it could not be judged here; it then has no verdicts")] = (
        None
    )
    broken: Annotated[bool, Meta(description="whether it could not because of an error of its own adapter")] = False

    @property
    def absence(self) -> str | None:
        """Why it was not judged, as a phrase to follow its name; None if it was."""
        word = "broken" if self.broken else "not available"
        return None if self.unavailable is None else f"{word}: {self.unavailable}"

    @property
    def compiling(self) -> str | None:
        """What it compiles for and how many compilations the run makes, as a phrase to follow its name; None if their
        number is not limited.
        """
        count, seconds = self.capabilities.get("compilations"), self.capabilities.get("compile_seconds")
        if type(count) is not int or not isinstance(seconds, float):
            return None
        reasons = [what for what in ("shape", "option") if self.capabilities.get(f"static_{what}s") is True]
        what = " and ".join(reasons) or "combination of dtypes"
        pool = f"calls come from a pool of {count} compilations"
        return f"compiles for each new {what} ({seconds:.2g} s measured): {pool}"


class RequirementLine(msgspec.Struct, kw_only=True, frozen=True):
    """A requirement of the run."""

    id: Name
    title: str
    level: Level
    statement: str
    family: Name
    references: tuple[str, ...]
    since: Annotated[str, Meta(description="version of the suite that it came with")] = ""
    source: Annotated[str, Meta(description="the check: module and line, or an address where the package has one")] = ""


class Convention(msgspec.Struct, kw_only=True, frozen=True):
    """A point on which major frameworks differ."""

    default: str
    question: str


class Timing(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Median and interquartile range of one benchmark, in seconds."""

    backend: Name
    quantity: Name
    dtype: Name
    rows: Count
    classes: Count
    median: Number
    iqr: Number | None = None


class SourceLine(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A record that this one was merged from; ``copies`` are the names of further files with the same content."""

    name: str
    started: str
    seed: int
    profile: str
    verdicts: Count
    truncated: bool
    suite: str = ""
    python: str = ""
    platform: str = ""
    command: str = ""
    exit: int | None = None
    seconds: Number | None = None
    error: str | None = None
    copies: tuple[str, ...] = ()


class Header(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, tag="header", tag_field="kind"):
    """The first line: what was judged, by which suite, and where."""

    schema: Literal[2]
    suite: Annotated[Name, Meta(description="version of xent-conformance")]
    started: Annotated[str, Meta(description="date and time, ISO 8601")]
    seed: int
    profile: str
    python: str
    platform: str
    libraries: dict[str, str]
    backends: Annotated[tuple[BackendLine, ...], Meta(max_length=MAX_BACKENDS)]
    requirements: Annotated[
        tuple[RequirementLine, ...], Meta(max_length=MAX_REQUIREMENTS, description="all that were asked for")
    ]
    command: str = ""
    dtypes: Annotated[
        tuple[Name, ...], Meta(max_length=MAX_FIELDS, description="dtypes asked for; empty: all that are claimed")
    ] = ()
    conventions: Annotated[dict[str, Convention], Meta(max_length=MAX_FIELDS)] = {}
    speed: tuple[Timing, ...] = ()
    merged: tuple[SourceLine, ...] = ()


class ArrayLine(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An array of a problem: its values, or the recipe that generates them if they would exceed 64 kB."""

    dtype: Name
    shape: Shape
    strides: Annotated[Axes | None, Meta(description="in elements, where not C order")] = None
    values: Annotated[Values | None, Meta(description="in C order; decimal numbers that round-trip")] = None
    recipe: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if the number of values is not that of the shape."""
        if self.values is not None and len(self.values) != math.prod(self.shape):
            raise ValueError(f"{len(self.values)} values for the shape {list(self.shape)}")


class ProblemLine(msgspec.Struct, kw_only=True, frozen=True):
    """One call as exact data. ``sentinel`` is the class index that is ignored if ``ignore_index`` is not passed."""

    logits: ArrayLine
    target: ArrayLine
    weight: ArrayLine | None = None
    cotangent: ArrayLine | None = None
    ignore_index: int | None = None
    reduction: str
    label_smoothing: Number = 0.0
    sentinel: int | None = None
    divisor: Number | None = None
    lse_square_scale: Number = 0.0
    logit_scale: Number = 1.0
    softcap: Number | None = None


class ExceptionLine(msgspec.Struct, kw_only=True, frozen=True):
    """An exception of the backend; file and line are those of the innermost frame outside the suite."""

    type: str
    message: str
    file: str = ""
    line: int = 0
    traceback: str = ""


class Found(msgspec.Struct, kw_only=True, frozen=True):
    """The problem on which a failure was first seen, and how much it was reduced."""

    failing_examples: Count | None = None
    example: Count | None = None
    recipe: str | None = None
    logits_shape: Shape | None = None
    ratio: Number | None = None
    tries: Count | None = None


class AnswerLine(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The answer of another backend of the run, or of a mode of the same one, to a failing problem."""

    backend: Name
    mode: Annotated[str, Meta(max_length=MAX_NAME, description='the mode that it was called in; "": as judged')] = ""
    outcome: Annotated[
        Literal["agrees", "own-convention", "differs", "not-applicable"],
        Meta(description="own-convention: right by the backend's own conventions, which require another answer"),
    ]
    got: Annotated[
        Scalar | None, Meta(description="its value at the index of the failure, or the exception that it raised")
    ] = None
    reason: Annotated[str, Meta(description="what is wrong with it, or why it does not apply")] = ""


class Failure(msgspec.Struct, kw_only=True, frozen=True):
    """A failing problem, reduced, and how the result differs from what is required."""

    kind: Annotated[Name, Meta(description='type of the finding: "wrong-value", "raised" ...')]
    call: Annotated[str, Meta(description="method of the backend that it is about")] = ""
    quantity: Annotated[str, Meta(description="loss, grad_logits, softmax row sum ...")]
    message: Annotated[str, Meta(description="one sentence")]
    index: Axes | None = None
    expected: Scalar | None = None
    got: Scalar | None = None
    bound: Number | None = None
    ratio: Number | None = None
    exception: ExceptionLine | None = None
    situation: Annotated[tuple[str, ...], Meta(description="facts of the problem without which it does not fail")] = ()
    undecided: Annotated[
        tuple[str, ...], Meta(description="facts of the problem for which that could not be decided")
    ] = ()
    right: Annotated[
        tuple[str, ...], Meta(description="other results of the call that were right, before the problem was reduced")
    ] = ()
    intermittent: Annotated[bool, Meta(description="the problem fails in some of several tries only")] = False
    calls_before: Annotated[Count, Meta(description="earlier calls without which it does not fail")] = 0
    only_in_run: Annotated[bool, Meta(description="it failed in the process of the run and in no new one")] = False
    problem: ProblemLine
    text: Annotated[str, Meta(description="the problem as a person reads it")] = ""
    reproducer: Annotated[str | None, Meta(description="a standalone script")] = None
    command: Annotated[str, Meta(description="runs this requirement again")] = ""
    found: Found | None = None
    answers: Annotated[
        tuple[AnswerLine, ...],
        Meta(max_length=MAX_BACKENDS, description="of the other backends, where it is the smallest of its cause"),
    ] = ()


class DeviationLine(msgspec.Struct, kw_only=True, frozen=True):
    """A known failure whose witness still fails."""

    reason: str
    issue: Annotated[str, Meta(description='the library\'s own issue, or "unreported"')]
    versions: str = ""
    where: tuple[str, ...] = ()
    witness: Failure | None = None


class Bin(msgspec.Struct, kw_only=True, frozen=True):
    """The largest ratio, and the largest error in ULP, of problems with ``classes`` to ``2 * classes - 1`` classes."""

    classes: Count
    count: Count
    ratio: Number
    ulp: Number


class VerdictLine(msgspec.Struct, kw_only=True, frozen=True, tag="verdict", tag_field="kind"):
    """The verdict of a requirement on a backend and dtype."""

    backend: str
    requirement: str
    dtype: Annotated[Name, Meta(description='"all": the requirement is judged once for all dtypes')]
    device: str
    status: Status
    level: Level
    examples: Annotated[Count, Meta(description="problems judged")]
    exercised: Annotated[Count, Meta(description="problems that met the condition it is about")]
    excused: Annotated[Count, Meta(description="failing problems in the domain of a known deviation")] = 0
    set_aside: Annotated[Count, Meta(description="failing problems in the situation of a cause that is known")] = 0
    ratio: Annotated[Number | None, Meta(description="largest error / bound")] = None
    bins: Annotated[tuple[Bin, ...], Meta(max_length=MAX_BINS)] = ()
    reason: Annotated[str | None, Meta(description="why not applicable, vacuous or in error")] = None
    observed: Annotated[str | None, Meta(description="what an OBSERVED requirement saw")] = None
    failures: Annotated[
        tuple[Failure, ...], Meta(max_length=MAX_FAILURES, description="one for each cause, the worst first")
    ] = ()
    deviations: Annotated[tuple[DeviationLine, ...], Meta(max_length=MAX_DEVIATIONS)] = ()
    seconds: Number = 0.0

    @property
    def cell(self) -> tuple[str, str, str]:
        """Its cell of the matrix: backend, requirement and dtype."""
        return self.backend, self.requirement, self.dtype

    def status_of(self, failure: Failure) -> Status:
        """The status that one of its failures alone gives: beside a crash there may be a wrong result."""
        if self.status not in (Status.CRASH, Status.TIMEOUT) or failure.kind == LOST:
            return self.status
        return Status.FAIL if self.level is Level.MUST else Status.WEAK


class Footer(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, tag="footer", tag_field="kind"):
    """The last line; a file without it is truncated."""

    exit: int
    verdicts: Count
    counts: dict[str, Count]
    seconds: Number
    error: str | None = None


Line = Header | VerdictLine | Footer
