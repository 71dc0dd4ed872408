"""Defects of the counting of findings."""

from __future__ import annotations

from collections.abc import Iterator

from truth.sabotage import Sabotage
from xent_conformance.verdicts.tally import Tally

LARGEST, FAILS, WORST, EXCUSED, EXERCISED, BINS = (
    f"test_tally.test_{name}"
    for name in (
        "the_largest_ratio_is_that_of_any_trial_and_any_finding",
        "a_trial_fails_where_one_of_its_findings_does",
        "the_worst_is_known_of_each_quantity",
        "what_is_excused_is_counted_and_neither_fails_nor_enters_the_ratio",
        "an_example_counts_as_exercised_where_a_finding_could_have_failed",
        "bins_have_the_largest_ratio_of_their_size",
    )
)
COUNT = Tally.count

#: (name, function, old, new, tests that must fail).
DEFECTS = [
    ("the smallest ratio is kept", COUNT, "max(self.ratio, worst.ratio)", "min(self.ratio, worst.ratio)", (LARGEST,)),
    ("the first ratio is kept", COUNT, "max(self.ratio, worst.ratio)", "self.ratio", (LARGEST,)),
    ("the last ratio is kept", COUNT, "max(self.ratio, worst.ratio)", "worst.ratio", (LARGEST,)),
    ("the last finding is the worst", COUNT, "max(findings, key=lambda f: f.ratio)", "findings[-1]", (LARGEST, FAILS)),
    ("the least of each quantity is kept", COUNT, "finding.ratio > best.ratio", "finding.ratio < best.ratio", (LARGEST, WORST)),
    ("everything is exercised", COUNT, "any(f.exercised for f in findings)", "bool(findings)", (EXERCISED,)),
    ("exercised is what all findings are", COUNT, "any(f.exercised for f in findings)", "all(f.exercised for f in findings)", (EXERCISED,)),
    ("excused failures fail", COUNT, "if not findings or excused", "if not findings", (EXCUSED,)),
    ("excuses are not counted", COUNT, "self.excused += excused", "self.excused += 0", (EXCUSED,)),
    ("failures are not counted", COUNT, "self.failed += 1", "pass", (FAILS,)),
    ("every trial fails", COUNT, "if worst.failed", "if worst", (FAILS,)),
    ("a bin has its last ratio", Tally._bin, "max(place.ratio, *(f.ratio for f in compared))", "max(f.ratio for f in compared)", (BINS,)),
]  # fmt: skip


def catalogue() -> Iterator[Sabotage]:
    """Every defect of the counting."""
    return (Sabotage(f"tally: {name}", *rest) for name, *rest in DEFECTS)
