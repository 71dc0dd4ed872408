"""The commands of `xent`, each a function of its parsed options that returns the exit code; see ``arguments``."""
