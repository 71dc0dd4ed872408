"""One call of a backend: its inputs between guard bands, its outcome, and the state that it must not change."""
