"""Judging from Python: a function, a layer or an adapter that is at hand."""

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
from xent_conformance.loading.loader import BrokenBackendError, UsageError
from xent_conformance.loading.objects import NotImportableError, import_path, is_backend, name_of, of_object
from xent_conformance.loading.sources import ReplacedError
from xent_conformance.output import RECORD
from xent_conformance.progress import Progress
from xent_conformance.records.record import RecordWriter, read
from xent_conformance.records.status import exit_code
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

    It has a process of its own where another one can import it; what it does to that one is a verdict. All else, such
    as a function of a notebook, a lambda or a layer, is judged in this process, which ends with it if it crashes;
    ``Result.in_process`` then says why. A module is imported as its file is now, not as this process has changed it.

    Args:
        implementation: A callable with the signature of ``torch.nn.functional.cross_entropy``, an adapter, or what
            ``xent run`` takes: the name of a backend, ``./file.py``, ``torch:package.function``.
        framework: For a callable: whose arrays it takes, "torch", "jax" or "numpy".
        profile: How much is judged: "quick", "default", "thorough" or "scale".
        seed: Seed of the problems; the same one gives the same verdicts.
        only: Judge these requirements alone: ids, families or patterns such as "gradients.*".
        dtypes: Judge these dtypes of logits alone: "float16", "bfloat16", "float32", "float64".
        device: For a callable: the device to compute on.
        gradient: For a callable: whether it claims gradients.
        conventions: For a callable: choices that it is held to, such as ``{"all_ignored_loss": "zero"}``.
        claims: For a callable: what it takes or does not, such as "no-weight" or "max-classes=1000".
        precision: For a callable: the arithmetic that it promises, such as ``{"internals": "native"}``.
        timeout: Limit for one call in seconds, where it has a process of its own.
        workers: Processes to judge in, where it has processes of its own.
        in_process: Judge it in this process in any case, for a debugger or for what this process has changed.
        name: For what is judged in this process: what the report calls it.
        progress: Print on stderr how far it is.

    Returns:
        Verdicts and causes; a failure is no exception: see :meth:`Result.raise_for_failures`.

    Raises:
        UsageError: There is no such backend, framework, profile, dtype, requirement, claim or convention.
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
        raise UsageError("a module that is judged calls judge while it is imported: put that under a main guard")
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
        raise UsageError(f"several workers need processes of their own: {here}")
    at_hand = None if here is None or isinstance(implementation, str) else implementation
    objects = {} if at_hand is None else {spec: of_object(at_hand, framework, request.narrowing, name)}
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
    """What a request calls an implementation; and, where it is judged in this process, a sentence that says why."""
    if isinstance(implementation, str):
        if framework is not None:
            raise UsageError(f"framework is for callables; a name says it itself: '{framework}:package.function'")
        return implementation, _said(implementation, "in_process is set") if in_process else None
    if is_backend(implementation):
        spec = str(implementation.name)  # type: ignore[union-attr]
        return spec, _said(spec, "it is an object and not a name")
    if not callable(implementation):
        raise UsageError(f"a {type(implementation).__name__} is neither a callable nor an adapter")
    if framework is None:
        raise UsageError("say whose arrays the callable takes: framework='torch', 'jax' or 'numpy'")
    spec = f"{framework}:{name or name_of(implementation)}"
    if in_process:
        return spec, _said(spec, "in_process is set")
    try:
        return f"{framework}:{import_path(implementation)}", None
    except NotImportableError as error:
        return spec, _said(spec, str(error))


def _said(spec: str, why: str) -> str:
    return f"{spec} is judged in this process, because {why}: a crash ends it, and a call that hangs is not stopped"


def _judged(session: Session, workers: int, here: str | None, *, progress: bool) -> Result:
    """The verdicts of an open session, by way of a file: they are what any reader of a record sees."""
    said, start = tuple(remarks(session)), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="xent-") as folder, Progress(sys.stderr, shown=progress) as shown:
        record = Path(folder) / RECORD
        writer = RecordWriter(record, session.header())
        console = Console(shown, sum(len(group.requirements) for group in session.groups())) if progress else None
        try:
            with closing(run(session, workers)) as lines:
                for line in lines:
                    writer.verdict(line)
                    if console is not None:
                        console.show(line)
        except ReplacedError as error:
            # For a command it is an interruption; here it would pass for the user's.
            raise BrokenBackendError(str(error)) from error
        writer.close(exit_code(writer.counts), time.perf_counter() - start)
        return Result(read(record), said, here)


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of one text between commas, or of several."""
    texts = [given] if isinstance(given, str) else list(given)
    return names_in(*texts) if texts else ()


def _pairs(given: Mapping[str, str] | None) -> tuple[str, ...]:
    """Names and values as the command line has them."""
    return tuple(f"{name}={value}" for name, value in (given or {}).items())
