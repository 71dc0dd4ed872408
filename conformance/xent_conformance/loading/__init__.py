"""Loading a backend that is named on the command line or given as an object, and describing it as plain data."""
