"""An assertion of conformance for your own test files."""

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
    """Judge an implementation, and raise if it does not conform.

    This is an ordinary assertion: fixtures, parameters, marks and any test runner work with it. It never skips; an
    implementation that cannot be judged is an error.

    Args:
        implementation: As for :func:`xent_conformance.judge`.
        framework: As for :func:`xent_conformance.judge`.
        profile: As for :func:`xent_conformance.judge`, but "quick" by default.
        options: Any other arguments of :func:`xent_conformance.judge`.

    Returns:
        The result, if it passed.

    Raises:
        ConformanceError: An unexpected failure; an AssertionError with the summary of the run as its message.
        UsageError, BackendUnavailableError, BrokenBackendError: As :func:`xent_conformance.judge`.

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
