"""Judging from Python: a function, a layer, an adapter object, or a backend by name."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from xent_conformance.console import Console
from xent_conformance.interface import Backend, BackendUnavailableError
from xent_conformance.isolation import CALL_SECONDS
from xent_conformance.isolation.mark import MARK
from xent_conformance.loading.errors import BrokenBackendError, UsageError
from xent_conformance.loading.objects import NotImportableError, import_path, is_backend, name_of, of_object
from xent_conformance.loading.sources import ReplacedError
from xent_conformance.output import RECORD
from xent_conformance.progress import Progress
from xent_conformance.records.record import read
from xent_conformance.records.status import exit_code
from xent_conformance.records.writer import RecordWriter
from xent_conformance.remarks import remarks
from xent_conformance.request import Request, names_in
from xent_conformance.result import Result
from xent_conformance.running import run
from xent_conformance.session import Session


def judge(
    implementation: Callable[..., Any] | Backend | str,
    *,
    framework: str | None = None,
    profile: str = "default",
    seed: int = 0,
    only: str | Iterable[str] = (),
    dtypes: str | Iterable[str] = (),
    device: str = "cpu",
    gradient: bool = True,
    conventions: Mapping[str, str] | None = None,
    claims: str | Iterable[str] = (),
    precision: Mapping[str, str] | None = None,
    timeout: float = CALL_SECONDS,
    workers: int = 1,
    in_process: bool = False,
    name: str | None = None,
    progress: bool = False,
) -> Result:
    """Judge an implementation of cross-entropy.

    An implementation that another process can import runs in a worker process, where a crash or a hang is a verdict.
    Anything else, such as a function defined in a notebook, a lambda or a layer, is judged in this process, where a
    crash ends this process too; ``Result.in_process`` then says why. A worker imports the module from its file, so
    changes made to the module in this process are not seen there.

    Args:
        implementation: A callable with the signature of ``torch.nn.functional.cross_entropy``, an adapter, or what
            ``xent run`` takes: the name of a backend, ``./file.py``, ``torch:package.function``.
        framework: For a callable: the framework whose arrays it takes, "torch", "jax" or "numpy".
        profile: How much is judged: "quick", "default", "thorough" or "scale".
        seed: Seed of the problems; the same seed gives the same verdicts.
        only: Judge only these requirements: ids, families or patterns such as "gradients.*".
        dtypes: Judge only these dtypes of logits: "float16", "bfloat16", "float32", "float64".
        device: For a callable: the device to compute on.
        gradient: For a callable: whether it claims gradients.
        conventions: For a callable: the conventions it is judged by, such as ``{"all_ignored_loss": "zero"}``.
        claims: For a callable: what it supports or does not, such as "no-weight" or "max-classes=1000".
        precision: For a callable: the arithmetic it promises, such as ``{"internals": "native"}``.
        timeout: Limit for one call in seconds; applies only in a worker process.
        workers: Number of worker processes to judge in; 1 where the implementation is judged in this process.
        in_process: Always judge in this process: for a debugger, or to judge a module as patched in this process.
        name: Name in the report of an implementation that is judged in this process.
        progress: Print progress on stderr.

    Returns:
        Verdicts and causes. A failure raises nothing; :meth:`Result.raise_for_failures` does.

    Raises:
        UsageError: An unknown backend, framework, profile, dtype, requirement, claim or convention.
        BackendUnavailableError: A framework or device is missing.
        BrokenBackendError: The adapter cannot be loaded, or its first call fails.

    Example:
        >>> import numpy as np
        >>> def my_loss(logits, target):
        ...     shifted = logits - logits.max(axis=1, keepdims=True)
        ...     log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        ...     return -np.take_along_axis(shifted - log_sum, target[:, None], axis=1).mean()
        >>> result = xent.judge(my_loss, framework="numpy", profile="quick", only="accuracy.loss", dtypes="float64")
        >>> result.passed
        True
    """
    if os.environ.get(MARK):
        raise UsageError('the judged module calls judge when imported: move the call under if __name__ == "__main__"')
    spec, here = _located(implementation, framework, name, in_process=in_process)
    request = Request(
        (spec,),
        profile=profile,
        seed=seed,
        only=_names(only),
        dtypes=_names(dtypes),
        device=device,
        gradient=gradient,
        convention=_pairs(conventions),
        claim=_names(claims),
        precision=_pairs(precision),
        in_process=in_process,
        timeout=timeout,
    )
    if workers > 1 and here is not None:
        raise UsageError(f"workers must be 1: {here}")
    local = None if here is None or isinstance(implementation, str) else implementation
    objects = {} if local is None else {spec: of_object(local, framework, request.narrowing, name)}
    settings_kept = objects[spec].settings_kept if objects else nullcontext
    with settings_kept(), Session.open(request, objects=objects) as session:
        for reason in session.unavailable.values():
            raise BackendUnavailableError(reason)
        for reason in session.broken.values():
            raise BrokenBackendError(reason)
        if not session.groups():
            raise UsageError("nothing to judge: no backend claims these dtypes")
        return _judged(session, workers, here, progress=progress)


def _located(
    implementation: Callable[..., Any] | Backend | str, framework: str | None, name: str | None, *, in_process: bool
) -> tuple[str, str | None]:
    """The spec of an implementation in a request; and, if it is judged in this process, a sentence that says why."""
    if isinstance(implementation, str):
        if framework is not None:
            raise UsageError(f"framework is only for callables; in a name, write '{framework}:package.function'")
        return implementation, _local_note(implementation, "in_process is set") if in_process else None
    if is_backend(implementation):
        spec = str(implementation.name)  # type: ignore[union-attr]
        return spec, _local_note(spec, "it is an object and not a name")
    if not callable(implementation):
        raise UsageError(f"an object of type {type(implementation).__name__} is neither a callable nor an adapter")
    if framework is None:
        raise UsageError("a callable needs the framework whose arrays it takes: framework='torch', 'jax' or 'numpy'")
    spec = f"{framework}:{name or name_of(implementation)}"
    if in_process:
        return spec, _local_note(spec, "in_process is set")
    try:
        return f"{framework}:{import_path(implementation)}", None
    except NotImportableError as error:
        return spec, _local_note(spec, str(error))


def _local_note(spec: str, why: str) -> str:
    return f"{spec} is judged in this process, because {why}: a crash ends it, and a hanging call is not stopped"


def _judged(session: Session, workers: int, here: str | None, *, progress: bool) -> Result:
    """The result of an open session. It is read back from a record, so that it is what any reader of one sees."""
    notes, start = tuple(remarks(session)), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="xent-") as folder, Progress(sys.stderr, shown=progress) as shown:
        record = Path(folder) / RECORD
        writer = RecordWriter(record, session.header())
        console = Console(shown, sum(len(group.requirements) for group in session.groups())) if progress else None
        if console is not None:
            session.announce = console.announce
        try:
            with closing(run(session, workers)) as lines:
                for line in lines:
                    writer.verdict(line)
                    if console is not None:
                        console.show(line)
        except ReplacedError as error:
            # It is a KeyboardInterrupt, which a caller of judge would take for Ctrl-C.
            raise BrokenBackendError(str(error)) from error
        writer.close(exit_code(writer.counts), time.perf_counter() - start)
        return Result(read(record), notes, here)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    """The names in one comma-separated string, or in several."""
    texts = [given] if isinstance(given, str) else list(given)
    return names_in(*texts) if texts else ()


def _pairs(given: Mapping[str, str] | None) -> tuple[str, ...]:
    """A mapping as NAME=VALUE strings, as on the command line."""
    return tuple(f"{name}={value}" for name, value in (given or {}).items())
