"""From a failing problem to one that a person can read, and a script that shows it without this suite."""
