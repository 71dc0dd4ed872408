"""The arguments of the commands that measure, and of `xent vectors`."""

from __future__ import annotations

from pathlib import Path

from xent_conformance.arguments.kinds import (
    Add,
    above_zero,
    add_dask,
    add_dtypes,
    add_profile,
    exit_codes,
    folder,
    integer,
    positive,
    sentence,
)
from xent_conformance.commands import exporting, measuring

BENCH_EXAMPLES = """\
examples:
  xent bench numpy torch                             side by side at shapes that people train with
  xent bench ./my_backend.py --shapes 4096x1000 --dtypes float32
  xent bench torch --output speed.json               for `xent report RECORD --speed speed.json`

A call with a wrong loss at a shape is not timed there. The last column is the time as a multiple of that of a copy of
the logits. Backends are called in this process. Times on devices other than the CPU have not been verified.
"""


def add_mutants(add: Add) -> None:
    """`xent mutants`."""
    what = "measure which requirement kills which mutant, a deliberately wrong backend"
    codes = exit_codes(
        "every mutant is killed with every seed",
        "a mutant survives a seed, or a requirement fails on a correct backend",
    )
    mutants = add("mutants", help=what, description=sentence(what), epilog=codes)
    mutants.add_argument(
        "folder", type=Path, metavar="FOLDER", help="package with a module `catalogue` that has all_mutants()"
    )
    mutants.add_argument("--seeds", type=positive, default=10, metavar="N", help="seeds 0 to N-1 (default: 10)")
    add_profile(mutants)
    mutants.add_argument(
        "--only", default=[], action="append", metavar="MUTANT,MUTANT", help="only these mutants: names or patterns"
    )
    mutants.add_argument(
        "-n", dest="workers", type=positive, default=1, metavar="WORKERS", help="processes (default: 1)"
    )
    mutants.add_argument("--resume", action="store_true", help="continue an interrupted run of the same command")
    mutants.add_argument(
        "--output",
        type=Path,
        default=Path("kill-matrix.json"),
        metavar="FILE",
        help="the matrix to write (default: ./kill-matrix.json)",
    )
    add_dask(mutants)
    mutants.set_defaults(command=measuring.mutants)


def add_campaign(add: Add) -> None:
    """`xent campaign`."""
    what = "measure how close correct implementations come to the bounds"
    codes = exit_codes("every error is within its bound", "an error reaches its bound")
    campaign = add("campaign", help=what, description=sentence(what), epilog=codes)
    campaign.add_argument(
        "folder", type=Path, metavar="FOLDER", help="package with a module `catalogue` that has all_correct()"
    )
    campaign.add_argument("backends", nargs="*", metavar="BACKEND", help="backends to judge too, as for `xent run`")
    campaign.add_argument(
        "--comparisons",
        type=positive,
        default=1_000_000,
        metavar="N",
        help="continue until N comparisons have been made (default: 1000000)",
    )
    campaign.add_argument(
        "--output",
        type=Path,
        default=Path("campaign.json"),
        metavar="FILE",
        help="the measurements to write, as JSON (default: ./campaign.json)",
    )
    add_dask(campaign)
    campaign.set_defaults(command=measuring.campaign)


def add_coverage(add: Add) -> None:
    """`xent coverage`."""
    what = "print which combinations of sizes, options, dtypes and layouts a run tries"
    coverage = add(
        "coverage", help=what, description=f"{sentence(what)} Nothing is judged, and the backend is not called."
    )
    coverage.add_argument("backend", metavar="BACKEND", help="the backend whose claims are used, as for `xent run`")
    add_profile(coverage)
    coverage.add_argument("--seed", type=integer, default=0, metavar="N", help="the first seed (default: 0)")
    coverage.add_argument("--seeds", type=positive, default=1, metavar="N", help="number of seeds (default: 1)")
    add_dtypes(coverage)
    coverage.add_argument("--output", type=Path, metavar="FILE", help="also write the result as JSON")
    coverage.set_defaults(command=measuring.coverage)


def add_vectors(add: Add) -> None:
    """`xent vectors`."""
    what = "write problems with exact answers and bounds as files, for tests in other languages"
    vectors = add(
        "vectors", help=what, description=f"{sentence(what)} conformance/VECTORS.md describes the file format."
    )
    vectors.add_argument(
        "--output",
        type=folder,
        default=Path("xent-vectors"),
        metavar="DIR",
        help="an empty folder (default: ./xent-vectors)",
    )
    add_profile(vectors, "quick")
    vectors.add_argument("--seed", type=integer, default=0, metavar="N", help="seed of the problems (default: 0)")
    add_dtypes(vectors)
    for flag, metavar, what in (
        ("--claim", "CLAIM", "what problems may contain, such as no-spatial or finite-logits-only; repeatable"),
        ("--convention", "NAME=VALUE", "a choice other than PyTorch's, such as all_ignored_loss=zero; repeatable"),
        ("--precision", "NAME=VALUE", "the arithmetic that the bounds allow, such as internals=native; repeatable"),
    ):
        vectors.add_argument(flag, default=[], action="append", metavar=metavar, help=what)
    vectors.set_defaults(command=exporting.vectors)


def add_bench(add: Add) -> None:
    """`xent bench`."""
    from xent_conformance.speed import SHAPES

    what = "time backends relative to a copy of the same bytes, where their loss is correct"
    codes = exit_codes("every loss that was timed is right", "a loss is wrong, or no call could be timed")
    bench = add("bench", help=what, description=sentence(what), epilog=f"{BENCH_EXAMPLES}\n{codes}")
    bench.add_argument("backends", nargs="+", metavar="BACKEND", help="as for `xent run`")
    add_dtypes(bench, "of the logits (default: float32,bfloat16)")
    bench.add_argument(
        "--shapes", default=",".join(SHAPES), metavar="SHAPE,SHAPE", help=f"of the logits (default: {','.join(SHAPES)})"
    )
    bench.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="for callables, as for `xent run` (default: cpu)"
    )
    bench.add_argument(
        "--seconds",
        type=above_zero,
        default=1.0,
        metavar="S",
        help="seconds for which each call is repeated; one that takes 10 S is left out (default: 1.0)",
    )
    bench.add_argument(
        "--memory", type=above_zero, metavar="GB", help="larger shapes are left out (default: half of what is free)"
    )
    bench.add_argument("--output", type=Path, metavar="FILE", help="also write the times as JSON")
    bench.set_defaults(command=measuring.bench)
