"""One test of conformance in one's own test file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xent_conformance.api import judge
from xent_conformance.interface import Backend
from xent_conformance.result import Result


def assert_conforms(
    implementation: Callable[..., Any] | Backend | str,
    *,
    framework: str | None = None,
    profile: str = "quick",
    **options: Any,
) -> Result:
    """Judge an implementation, and raise where it does not conform.

    An ordinary assertion, so that fixtures, parameters, marks and any test runner work with it. It never skips: what
    cannot be judged is an error.

    Args:
        implementation: As of :func:`xent_conformance.judge`.
        framework: As of :func:`xent_conformance.judge`.
        profile: As of :func:`xent_conformance.judge`, but "quick" unless said otherwise.
        options: All others of :func:`xent_conformance.judge`.

    Returns:
        What came of judging, where all is well.

    Raises:
        ConformanceError: Something unexpected failed; an AssertionError with the summary of the run.

    Example:
        >>> from xent_conformance.testing import assert_conforms
        >>> def test_my_loss():
        ...     assert_conforms("numpy", only="identities.softplus")
        >>> test_my_loss()
    """
    __tracebackhide__ = True
    result = judge(implementation, framework=framework, profile=profile, **options)
    result.raise_for_failures()
    return result
