"""The requirements: one module a family, each check a fact about a trial."""
