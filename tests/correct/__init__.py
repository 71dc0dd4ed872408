"""Correct cross-entropies that round as badly as each tier of precision admits, for the false-alarm campaign."""
