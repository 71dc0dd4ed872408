"""Files: the record of a run, the known failures of a backend, and reading what somebody else wrote."""
