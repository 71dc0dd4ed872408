"""Deliberately wrong backends, each with one wrong idea, to measure what the suite catches."""
