"""Measures the suite itself: which requirement kills which mutant, and how close correct backends are to the bounds."""
