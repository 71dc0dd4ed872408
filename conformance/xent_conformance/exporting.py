"""The command `xent vectors`, which writes test vectors for other languages."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from xent_conformance.commands import OK
from xent_conformance.output import output_folder
from xent_conformance.progress import Progress


def vectors(options: argparse.Namespace) -> int:
    """Write test vectors."""
    from xent_conformance.judging.profiles import Settings
    from xent_conformance.loading.declared import declared, precision_in
    from xent_conformance.loading.loader import UsageError
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
