"""From what a user names on the command line to a backend that works, and its claims as plain data."""
