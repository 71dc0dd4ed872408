"""What came of judging from Python: verdicts, causes, and ways to show, keep or raise them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xent_conformance.output import RECORD, output_folder, renderer
from xent_conformance.records.causes import Cause, causes
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.record import Record, RecordWriter
from xent_conformance.records.status import UNEXPECTED, Status, exit_code


class ConformanceError(AssertionError):
    """An implementation does not conform, or could not be judged; the message is the summary of the run.

    An AssertionError, so that test runners show it as a failure. ``result`` is what came of the run.
    """

    def __init__(self, result: Result) -> None:
        """With the summary as its message."""
        super().__init__("\n".join(renderer("terminal")([result.record])))
        self.result = result


@dataclass(frozen=True, repr=False)
class Result:
    """What came of :func:`xent_conformance.judge`.

    In a notebook it shows itself, as text it is what ``xent run`` prints.

    Example:
        >>> result = xent.judge("numpy", profile="quick", only="identities.softplus", dtypes="float32")
        >>> result.passed, [verdict.status.value for verdict in result.verdicts]
        (True, ['pass'])
    """

    #: The record of the run, as ``xent run`` writes it.
    record: Record
    #: What was said before judging: claims left out, conventions that are not PyTorch's.
    remarks: tuple[str, ...] = ()
    #: Why it was judged in this process, as a sentence; None: it had a process of its own.
    in_process: str | None = None

    @property
    def verdicts(self) -> Sequence[VerdictLine]:
        """One for each requirement and dtype; ``status`` says what it came to."""
        return tuple(self.record.verdicts)

    @property
    def causes(self) -> Sequence[Cause]:
        """The failures, as the faults that explain them; the worst first.

        Each has its ``situation`` (what it takes to fail), its ``requirements``, and in ``shown.failure`` the smallest
        problem, the message and a script.
        """
        return tuple(causes(self.record.verdicts))

    @property
    def failures(self) -> Sequence[VerdictLine]:
        """The verdicts that make a run fail: broken MUSTs, crashes, timeouts, and errors of adapter or suite."""
        return tuple(v for v in self.record.verdicts if v.status in (*UNEXPECTED, Status.ERROR))

    @property
    def passed(self) -> bool:
        """Whether nothing unexpected failed and something was judged: what ``xent run`` exits with 0 for."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """The exit code of ``xent run``: 0 passed, 1 failures, 3 the suite or an adapter broke."""
        return exit_code({verdict.status for verdict in self.record.verdicts})

    def raise_for_failures(self) -> None:
        """Raise :class:`ConformanceError` unless it passed."""
        # pytest shows the summary and the line of the test, and nothing in between.
        __tracebackhide__ = True
        if not self.passed:
            raise ConformanceError(self)

    def save(self, folder: str | Path) -> Path:
        """Write the record and the report into a folder, as ``xent run`` does, and return the path of the page.

        Raises UsageError where the folder cannot be written.
        """
        with output_folder(Path(folder)) as there:
            writer = RecordWriter(there / RECORD, self.record.header)
            for line in self.record.verdicts:
                writer.verdict(line)
            footer = self.record.footer
            writer.close(self.exit_code, 0.0 if footer is None else footer.seconds)
            return Path(renderer("render")([there / RECORD], there))

    def __str__(self) -> str:
        """The summary that ``xent run`` prints."""
        return "\n".join([*self._before(), *renderer("terminal")([self.record])])

    def __repr__(self) -> str:
        """The first line of the summary."""
        first, *_ = renderer("terminal")([self.record])
        return f"<Result: {first}>"

    def _repr_html_(self) -> str:
        """The summary for a notebook."""
        return str(renderer("notebook")(self.record, self._before()))

    def _before(self) -> list[str]:
        return [*([] if self.in_process is None else [self.in_process]), *self.remarks]
