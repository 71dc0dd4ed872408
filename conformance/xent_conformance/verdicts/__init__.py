"""From the findings on all problems of a requirement to its verdict on a subject."""
