"""The JSON Schema of exported vectors, made from the typed lines.

``python -m xent_conformance.vectors.schema`` prints it; ``vectors.schema.json`` beside this module is that output.
"""

from __future__ import annotations

import json
from typing import Any

from xent_conformance.records.schema import made_from
from xent_conformance.vectors.lines import FORMAT, Manifest, Vector


def schema() -> dict[str, Any]:
    """The JSON Schema of ``manifest.json``, and of each line of a ``.jsonl`` file."""
    title = f"Test vectors of xent-conformance, format version {FORMAT}"
    return made_from(Manifest | Vector, title, "manifest.json is a Manifest; each line of a .jsonl file is a Vector.")


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
