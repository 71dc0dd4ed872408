"""Writes test vectors: a JSON Lines file and safetensors files for each dtype, a manifest, and the JSON Schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

import msgspec
from safetensors.numpy import save

from xent_conformance import __version__
from xent_conformance.interface import Capabilities, Precision
from xent_conformance.judging.profiles import Settings
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.problem_traits import traits
from xent_conformance.vectors.export import problems
from xent_conformance.vectors.lines import FORMAT, Manifest, Vector, VectorFile
from xent_conformance.vectors.tensors import tensors_of

MANIFEST, SCHEMA = "manifest.json", "vectors.schema.json"
#: A new safetensors file is begun after this many bytes, because the tensors of a file are in memory together.
FULL = 1 << 26

Progress = Callable[[str], None]


def export(
    folder: Path, claims: Capabilities, precision: Precision, settings: Settings, progress: Progress = lambda _: None
) -> Manifest:
    """Write the test vectors of all dtypes that are claimed.

    Args:
        folder: An existing folder.
        claims: What an implementation is assumed to support; vectors have no other calls.
        precision: The arithmetic that the bounds allow.
        settings: Profile and seed of the problems.
        progress: Called with a line of text for each file.

    Returns:
        The manifest, which is written last, so that a folder with a manifest is complete.

    Raises:
        OSError: A file cannot be written.
    """
    names, counts = [SCHEMA], {}
    (folder / SCHEMA).write_bytes(files(__package__).joinpath(SCHEMA).read_bytes())
    for dtype in claims.logits_dtypes:
        vectors: list[Vector] = []
        for file, tensors, listed in _files(claims, precision, dtype, settings):
            progress(f"{file}: {len(vectors) + len(listed)} vectors")
            (folder / file).write_bytes(save(tensors))
            names.append(file)
            vectors += listed
        lines = f"{dtype}.jsonl"
        (folder / lines).write_bytes(b"".join(msgspec.json.encode(vector) + b"\n" for vector in vectors))
        names.append(lines)
        counts[dtype] = len(vectors)
    manifest = Manifest(
        format=FORMAT,
        suite=__version__,
        profile=settings.profile,
        seed=settings.seed,
        claims=_plain(claims),
        conventions=claims.conventions.choices(),
        precision=asdict(precision),
        vectors=counts,
        files=tuple(VectorFile(name=n, sha256=hashlib.sha256((folder / n).read_bytes()).hexdigest()) for n in names),
    )
    (folder / MANIFEST).write_text(json.dumps(msgspec.to_builtins(manifest), indent=1) + "\n", encoding="utf-8")
    return manifest


def _plain(claims: Capabilities) -> dict[str, object]:
    """The claims as data, without those that other fields of the manifest have."""
    return {k: v for k, v in vars(claims).items() if k not in ("precision", "conventions", "left_out")}


def _files(
    claims: Capabilities, precision: Precision, dtype: str, settings: Settings
) -> Iterator[tuple[str, dict[str, AnyArray], Sequence[Vector]]]:
    """The safetensors files of a dtype: the name of each, its tensors, and the vectors that they belong to."""
    number = size = 0
    tensors: dict[str, AnyArray] = {}
    listed: list[Vector] = []
    for count, problem in enumerate(problems(claims, dtype, settings)):
        if size >= FULL:
            yield f"{dtype}-{number:03}.safetensors", tensors, listed
            number, size, tensors, listed = number + 1, 0, {}, []
        arrays = tensors_of(problem, claims.conventions, precision)
        size += sum(array.nbytes for array in arrays.values())
        listed.append(_vector(f"{dtype}-{count:05}", f"{dtype}-{number:03}.safetensors", problem, arrays))
        tensors |= {f"{listed[-1].id}/{name}": array for name, array in arrays.items()}
    if listed:
        yield f"{dtype}-{number:03}.safetensors", tensors, listed


def _vector(identifier: str, file: str, problem: Problem, tensors: dict[str, AnyArray]) -> Vector:
    return Vector(
        id=identifier,
        file=file,
        target="probabilities" if problem.has_probabilities else "labels",
        reduction=cast(Literal["none", "sum", "mean"], problem.reduction),
        label_smoothing=float(problem.label_smoothing),
        ignore_index=problem.ignored_label,
        tensors=tuple(tensors),
        situation=tuple(sorted(traits(problem))),
    )
