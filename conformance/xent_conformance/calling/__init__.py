"""One call of a backend: its inputs between guard bands, its outcome, and what it may not change."""
