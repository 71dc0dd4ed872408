"""Error bounds: how large the error of a correct implementation of a declared precision may be, element by element."""

from xent_conformance.bounds.tolerances import Bounds

__all__ = ["Bounds"]
