"""The oracle: the exact answer to a problem, independent of every backend."""

from xent_conformance.oracle.answer import Answer, Exact

__all__ = ["Answer", "Exact"]
