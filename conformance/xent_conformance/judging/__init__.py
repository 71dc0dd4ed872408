"""Judges one problem on one backend: makes the calls, and compares their outcomes with what is required."""
