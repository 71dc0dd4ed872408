"""The types of the JSON files of exported vectors, format version 1; the JSON Schema is made from these classes.

``manifest.json`` is one Manifest, ``DTYPE.jsonl`` has a Vector on each line. VECTORS.md explains them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

FORMAT: Literal[1] = 1

Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]


class Vector(msgspec.Struct, kw_only=True, frozen=True, tag="vector", tag_field="kind"):
    """One call: its options, and the names of the tensors that have its inputs, exact results and bounds."""

    id: Name
    file: Annotated[Name, Meta(description="safetensors file beside this one; its tensors are named ID/TENSOR")]
    target: Literal["labels", "probabilities"]
    reduction: Literal["none", "sum", "mean"]
    label_smoothing: Annotated[float, Meta(ge=0, le=1)] = 0.0
    ignore_index: Annotated[int | None, Meta(description="label whose rows are ignored; null: there is none")] = None
    tensors: Annotated[tuple[Name, ...], Meta(description="in the order of VECTORS.md")]
    situation: Annotated[tuple[Name, ...], Meta(description="special properties of the problem")]


class VectorFile(msgspec.Struct, kw_only=True, frozen=True):
    """A file of the export."""

    name: Name
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, kw_only=True, frozen=True, tag="manifest", tag_field="kind"):
    """The contents of an export: its files, and the claims, conventions and arithmetic that it is for."""

    format: Literal[1]
    suite: Annotated[Name, Meta(description="version of xent-conformance")]
    profile: Name
    seed: int
    claims: Annotated[dict[str, Any], Meta(description="the calls that an implementation is assumed to support")]
    conventions: Annotated[dict[str, str], Meta(description="choices where frameworks differ; see SPEC.md, section 5")]
    precision: Annotated[dict[str, str], Meta(description="the arithmetic that the bounds allow")]
    vectors: Annotated[dict[str, Count], Meta(description="number of vectors by dtype of the logits")]
    files: tuple[VectorFile, ...]
