"""``python -m xent_conformance`` is ``xent``."""

import sys

from xent_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
