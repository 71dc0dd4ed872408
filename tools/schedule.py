"""Writes conformance/xent_conformance/schedule.json: the order in which sources of problems are judged.

From a kill matrix and a record, the published ones: the seconds that a source takes, summed over its requirements, and
first those that together find every mutant soonest. Run it after either was made anew, and with a record of the default
profile for sources that are in neither yet; it must have some that the published record has too:

    python tools/schedule.py [RECORD ...]
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

from xent_conformance.records.record import read
from xent_conformance.requirements.registry import load
from xent_conformance.scheduling import PLACE

PUBLISHED = Path(__file__).parents[1] / "reports" / "published"
#: Share of the mutants that the sources which are judged first find.
ENOUGH = 0.95


def seconds(record: Path) -> dict[str, float]:
    """Mean seconds of each source for a backend and dtype."""
    sums: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    for verdict in read(record).verdicts:
        if (requirement := load().get(verdict.requirement)) is not None:
            sums[requirement.source.name][verdict.backend, verdict.dtype] += verdict.seconds or 0.0
    return {name: mean(by.values()) for name, by in sums.items()}


def with_newer(costs: dict[str, float], newer: dict[str, float]) -> dict[str, float]:
    """Costs with those of other sources, which were measured on another machine: those of both say how fast it is."""
    both = costs.keys() & newer.keys()
    speed = sum(costs[name] for name in both) / sum(newer[name] for name in both)
    return {name: cost * speed for name, cost in newer.items()} | costs


def kills() -> dict[str, dict[str, int]]:
    """For each source the mutants that it kills, with the fewest examples that it takes."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for mutant in json.loads((PUBLISHED / "kill-matrix.json").read_text("utf-8"))["mutants"]:
        for identifier, examples in mutant["kills"].items():
            counts = [e for e in ([examples] if isinstance(examples, int) else examples) if e is not None]
            # What looks back at other calls is judged after these.
            if identifier in load() and counts and not load()[identifier].source.looks_back:
                by = found[load()[identifier].source.name]
                by[mutant["name"]] = min([*counts, by.get(mutant["name"], 10**9)])
    return found


def first(costs: dict[str, float], found: dict[str, dict[str, int]]) -> list[str]:
    """The sources that find most of the mutants: each time the one that finds most others in a second."""
    left = {name for by in found.values() for name in by}
    most, order = (1 - ENOUGH) * len(left), []
    while len(left) > most:
        best = max(found, key=lambda source: len(left & found[source].keys()) / (0.05 + costs.get(source, 1.0)))
        order.append(best)
        left -= found[best].keys()
    return order


def main(records: list[str]) -> None:
    """Write the file."""
    costs = seconds(PUBLISHED / "record.jsonl")
    for record in records:
        costs = with_newer(costs, seconds(Path(record)))
    rounded = {name: round(cost, 3) for name, cost in sorted(costs.items(), key=lambda item: -item[1])}
    data = {"first": first(costs, kills()), "seconds": rounded}
    PLACE.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
