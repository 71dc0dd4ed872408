"""A property-based conformance test suite for softmax cross-entropy.

Importing this package imports no framework and nothing heavy; the parts are modules of their own: ``interface`` for
adapters, ``strategies`` for one's own Hypothesis tests, ``oracle`` and ``bounds`` for exact answers and tolerances.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
