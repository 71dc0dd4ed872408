"""The requirements, a family in one or more modules; each check states a fact about a trial."""
