"""The result of judging from Python: verdicts and causes, and ways to show, save or raise them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xent_conformance.output import RECORD, output_folder, renderer
from xent_conformance.records.causes import Cause, causes
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.record import Record
from xent_conformance.records.status import UNEXPECTED, Status, exit_code
from xent_conformance.records.writer import RecordWriter


class ConformanceError(AssertionError):
    """An implementation does not conform, or could not be judged; the message is the summary of the run.

    It is an AssertionError, so that test runners show it as a failure. ``result`` is the :class:`Result` of the run.
    """

    def __init__(self, result: Result) -> None:
        """The message is the summary of ``result``."""
        super().__init__("\n".join(renderer("terminal")([result.record])))
        self.result = result


@dataclass(frozen=True, repr=False)
class Result:
    """The result of :func:`xent_conformance.judge`.

    A notebook shows it as a table of causes; as text it is the summary that ``xent run`` prints.

    Example:
        >>> result = xent.judge("numpy", profile="quick", only="identities.softplus", dtypes="float32")
        >>> result.passed, [verdict.status.value for verdict in result.verdicts]
        (True, ['pass'])
    """

    #: The record of the run, as ``xent run`` writes it.
    record: Record
    #: The remarks that ``xent run`` prints before judging: claims left out, conventions that differ from PyTorch's.
    remarks: tuple[str, ...] = ()
    #: Why it was judged in this process, as a sentence; None if it was judged in a worker process.
    in_process: str | None = None

    @property
    def verdicts(self) -> Sequence[VerdictLine]:
        """The verdicts, one for each requirement and dtype; the outcome is in ``status``."""
        return tuple(self.record.verdicts)

    @property
    def causes(self) -> Sequence[Cause]:
        """The failures grouped by the fault that explains them, the worst first.

        Each has ``situation`` (the properties a problem needs to fail), ``requirements`` (those that fail), and
        ``shown.failure`` (the smallest failing problem, the message and a script).
        """
        return tuple(causes(self.record.verdicts))

    @property
    def failures(self) -> Sequence[VerdictLine]:
        """The verdicts that make a run fail: broken MUSTs, crashes, timeouts, and errors of the adapter or suite."""
        return tuple(v for v in self.record.verdicts if v.status in (*UNEXPECTED, Status.ERROR))

    @property
    def passed(self) -> bool:
        """Whether something was judged and nothing failed unexpectedly, so that ``xent run`` would exit with 0."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """The exit code of ``xent run``: 0 passed, 1 failures, 3 the suite or an adapter broke."""
        return exit_code({verdict.status for verdict in self.record.verdicts})

    def raise_for_failures(self) -> None:
        """Raise :class:`ConformanceError` unless it passed."""
        # So that pytest shows the summary and the line of the test, without the frames in between.
        __tracebackhide__ = True
        if not self.passed:
            raise ConformanceError(self)

    def save(self, folder: str | Path) -> Path:
        """Write the record and the report into a folder, as ``xent run`` does.

        Args:
            folder: Created if needed; an earlier record and report in it are replaced.

        Returns:
            The path of the HTML page.

        Raises:
            UsageError: The folder cannot be written.
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
