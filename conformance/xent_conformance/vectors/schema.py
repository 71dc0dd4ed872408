"""The JSON Schema of exported vectors, made from the typed lines.

``python -m xent_conformance.vectors.schema`` prints it; ``vectors.schema.json`` beside this module is that output.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from xent_conformance.vectors.lines import FORMAT, Manifest, Vector


def schema() -> dict[str, Any]:
    """The JSON Schema of ``manifest.json``, and of each line of a ``.jsonl`` file."""
    (either,), parts = msgspec.json.schema_components([Manifest | Vector], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Test vectors of xent-conformance, format version {FORMAT}",
        "description": "manifest.json is a Manifest; each line of a .jsonl file is a Vector.",
        **either,
        "$defs": parts,
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
