"""The commands that print or write what the suite has: `xent list`, `explain`, `new` and `vectors`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from xent_conformance.output import output_folder
from xent_conformance.progress import Progress
from xent_conformance.records.status import OK


def listing(options: argparse.Namespace) -> int:
    """Print the requirements and the registered backends."""
    from xent_conformance.loading.loader import known
    from xent_conformance.requirements.registry import load

    registry = load()
    if options.json:
        from xent_conformance.header import catalogued
        from xent_conformance.records.plain import as_data

        requirements = [as_data(catalogued(r)) for r in registry.values()]
        print(json.dumps({"requirements": requirements, "backends": known()}, indent=2))
        return OK
    if options.spec:
        from xent_conformance.spec import specification

        print(specification(registry.values()), end="")
        return OK
    width = max(len(name) for name in registry)
    for name, requirement in registry.items():
        print(f"{name:<{width}}  {requirement.level:<8}  {requirement.title}")
    print(f"\n{len(registry)} requirements; registered backends: {', '.join(known())}")
    return OK


def explain(options: argparse.Namespace) -> int:
    """Print what requirements mean."""
    from xent_conformance.explain import explanation
    from xent_conformance.request import names_in
    from xent_conformance.requirements.registry import load
    from xent_conformance.selection import selected

    print("\n\n\n".join(map(explanation, selected(names_in(*options.only), load().values()))))
    return OK


def new(options: argparse.Namespace) -> int:
    """Write the example adapter."""
    from importlib.resources import files

    from xent_conformance.loading.errors import UsageError

    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8"))
    except FileExistsError:
        raise UsageError(f"{options.file} exists already") from None
    except OSError as error:
        raise UsageError(f"cannot write {options.file}: {error.strerror or error}") from error
    where = options.file if options.file.is_absolute() else f"./{options.file}"
    print(f"wrote {options.file}; try: xent run {where}")
    return OK


def vectors(options: argparse.Namespace) -> int:
    """Write test vectors."""
    from xent_conformance.judging.profiles import Settings
    from xent_conformance.loading.declared import declared, precision_in
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.precision import RECOMMENDED
    from xent_conformance.request import Request, names_in
    from xent_conformance.strategies import EVERYTHING
    from xent_conformance.vectors.files import export

    request = Request((), options.profile, options.seed, dtypes=names_in(*options.dtypes))
    claims = replace(EVERYTHING, logits_dtypes=request.dtypes or EVERYTHING.logits_dtypes)
    try:
        claims = declared(claims, options.convention, options.claim, ())
        precision = precision_in(options.precision) or RECOMMENDED
    except ValueError as error:
        raise UsageError(str(error)) from error
    with output_folder(options.output) as folder:
        if any(folder.iterdir()):
            raise UsageError(f"{options.output} is not empty; choose another folder with --output DIR")
        with Progress(sys.stderr) as progress:
            settings = Settings(request.profile, request.seed)
            manifest = export(folder, claims, precision, settings, progress.update)
    counts = ", ".join(f"{count} in {dtype}" for dtype, count in manifest.vectors.items())
    print(f"vectors: {counts}; {options.output / 'manifest.json'}")
    return OK
