"""The arguments of the commands that judge: `xent run` and `xent watch`."""

from __future__ import annotations

import argparse
from pathlib import Path

from xent_conformance.arguments.kinds import JUDGED, Add, add_dask, folder, sentence, workers
from xent_conformance.commands import judging, watching
from xent_conformance.commands.judging import AUTO
from xent_conformance.request import add_options

RUN_EXAMPLES = """\
examples:
  xent run torch --profile quick                     a quick check in seconds
  xent run torch --only accuracy,gradients.linear*   families and patterns
  xent run ./my_backend.py:other                     another name than `backend` in the file
  xent run jax:my_losses.cross_entropy --dtypes float32,bfloat16
  xent run torch --output nightly --resume           finish an interrupted run
  xent run ./my_backend.py --fail-fast               stop at the first failure ...
  xent run ./my_backend.py --last-failed             ... and judge only what failed again
"""
WATCHING = """\
Modules that it imports from its folder are watched too. After a change, what failed is judged first, and everything
else once that passes; fixed and new failures are printed. A change during a run starts a new run. Ctrl-C ends the
command, with the exit code of the last complete run.
"""
WATCH_EXAMPLES = """\
examples:
  xent watch ./my_backend.py --profile quick         in a terminal beside the editor
  xent watch ./my_backend.py --only gradients --dtypes float32
"""


def add_run(add: Add) -> None:
    """`xent run`."""
    run = add(
        "run",
        help="judge backends and render the report",
        description="Judge backends, write the record and render the report.",
        epilog=f"{RUN_EXAMPLES}\n{JUDGED}",
    )
    run.add_argument(
        "backends",
        nargs="+",
        metavar="BACKEND",
        help="a registered name (`xent list` prints them), a file ./my_backend.py[:name], or a callable"
        " torch:package.function or torch:./my_kernels.py:function (jax:, numpy: likewise)",
    )
    _judging(run)
    run.add_argument("--resume", action="store_true", help="finish the run whose record is in the output folder")
    run.add_argument(
        "--last-failed",
        action="store_true",
        help="judge only what failed in the run whose record is in the output folder",
    )
    run.add_argument("--fail-fast", action="store_true", help="stop at the first failure; --resume continues the run")
    add_dask(run)
    run.set_defaults(command=judging.run)


def _judging(parser: argparse.ArgumentParser) -> None:
    """The options of the commands that judge."""
    add_options(parser.add_argument)
    parser.add_argument(
        "-n",
        dest="workers",
        type=workers,
        default=AUTO,
        metavar="WORKERS",
        help="judging processes; auto: as many as there are processors and memory for (default: auto)",
    )
    parser.add_argument(
        "--output", type=folder, default=Path("xent-report"), metavar="DIR", help="folder (default: ./xent-report)"
    )


def add_watch(add: Add) -> None:
    """`xent watch`."""
    what = "judge the backend of a file again whenever the file changes"
    watch = add("watch", help=what, description=f"{sentence(what)} {WATCHING}", epilog=f"{WATCH_EXAMPLES}\n{JUDGED}")
    watch.add_argument("file", metavar="FILE", help="a file ./my_backend.py[:name], as for `xent run`")
    _judging(watch)
    watch.set_defaults(command=watching.watch)
