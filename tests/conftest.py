"""What holds for all tests."""

import os
import sys

# Tests start some five hundred Pythons. Where bytecode may not be written, each compiles two hundred modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
