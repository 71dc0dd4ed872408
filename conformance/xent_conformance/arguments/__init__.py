"""The arguments of each command of `xent`, with their help. Imports nothing heavy."""
