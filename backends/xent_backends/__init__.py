"""Adapters between the conformance suite and the libraries it tests, one module each.

A framework is imported only by the modules that carry its name. An adapter whose framework is missing raises
``xent_conformance.interface.BackendUnavailableError`` on import, with the line that installs it.
"""
