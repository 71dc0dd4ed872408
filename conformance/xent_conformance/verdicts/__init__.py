"""From the findings of a requirement on all its problems to its verdict on a subject."""
