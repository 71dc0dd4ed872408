"""Combines the findings of a requirement on all problems into its verdict on a subject."""
