"""Backends with two or three planted faults, to measure whether each is shown as a cause of its own."""
