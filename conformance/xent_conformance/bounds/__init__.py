"""How far a correct implementation of a declared precision may be off, element by element."""

from xent_conformance.bounds.tolerances import Bounds

__all__ = ["Bounds"]
