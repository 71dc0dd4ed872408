"""Reduces a failing problem to a small one, and writes a script that reproduces it without this suite."""
