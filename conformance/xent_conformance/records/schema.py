"""The JSON Schema of one line of a record, made from the typed lines.

``python -m xent_conformance.records.schema`` prints it; ``record.schema.json`` beside this module is that output.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from xent_conformance.records.lines import SCHEMA_VERSION, Line
from xent_conformance.records.plain import schema_of


def schema() -> dict[str, Any]:
    """The JSON Schema of one line."""
    title = f"One line of an xent-conformance record, schema version {SCHEMA_VERSION}"
    return made_from(
        Line, title, "JSON Lines: one Header, VerdictLines, one Footer; a file without a Footer is truncated."
    )


def made_from(types: Any, title: str, description: str) -> dict[str, Any]:
    """The JSON Schema of a type, or of a union of types, that msgspec reads and writes."""
    (one,), parts = msgspec.json.schema_components([types], schema_hook=schema_of, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        **one,
        "$defs": parts,
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
