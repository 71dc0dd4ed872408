"""Oracle, bounds and judge under test: a second implementation of the definition, and defects that must be noticed."""
