"""Determines which properties of a failing problem are necessary for it to fail: facts, and variants without each."""
