"""The table of a problem: what a person needs to see, and repetition collapsed."""

from __future__ import annotations

from typing import Any

import records

from xent_conformance.records.lines import ProblemLine
from xent_conformance.records.plain import from_data
from xent_reports.call import Call
from xent_reports.problem_table import Table, table_of

A = records.array


def problem(logits: dict[str, Any], target: dict[str, Any], **others: Any) -> ProblemLine:
    """A problem of a record."""
    return from_data({"logits": logits, "target": target, "reduction": "none", **others}, ProblemLine)


def drawn(table: Table | None) -> list[str]:
    """A table as lines of text: [target], wrong!, and the notes of each row."""
    assert table is not None
    lines = ["   ".join(["class", *table.columns])]
    for line in table.lines:
        cells = [f"[{e.text}]" if e.target else e.text for e in line.entries]
        cells = [text + "!" * entry.wrong for text, entry in zip(cells, line.entries, strict=True)]
        notes = [line.target, "ignored" * line.ignored, line.cotangent, "wrong" * line.wrong]
        lines.append("   ".join([line.head, *cells, *(note for note in notes if note)]))
    return lines


def test_target_weight_ignored_rows_and_the_wrong_element_are_marked() -> None:
    """A small problem is shown whole."""
    found = records.failure("float16", 3)
    call = Call(from_data(found["problem"], ProblemLine), ignored=-100)
    assert drawn(table_of(call, found["index"], found["quantity"])) == [
        "class   0   1   2",
        "0   20   0   [0]!   2",
        "1   0.1   0.5   0   -100   ignored",
        "weight   1   1   2",
    ]


def test_classes_that_hold_the_same_share_a_column() -> None:
    """33 classes of which one is special take three columns."""
    values = [0.0] * 32 + [20.0]
    call = Call(problem(A(values, (1, 33)), A([5], (1,), "int64")))
    assert drawn(table_of(call)) == ["class   0 – 4   5   6 – 31   32", "0   0   [0]   0   20   5"]


def test_rows_that_hold_the_same_share_a_line_but_the_wrong_one_stands_alone() -> None:
    """Equal rows are one line; an index of a loss marks its row."""
    call = Call(problem(A([1.0, 2.0] * 6, (6, 2)), A([0] * 6, (6,), "int64")))
    assert drawn(table_of(call, [4], "loss")) == [
        "class   0   1",
        "0 – 3   [1]   2   0",
        "4   [1]   2   0   wrong",
        "5   [1]   2   0",
    ]


def test_spatial_logits_are_shown_by_rows() -> None:
    """(N, C, d) logits become rows (n, i) over classes, and an index by rows finds its place."""
    logits = A([float(v) for v in range(12)], (2, 3, 2))
    call = Call(problem(logits, A([0, 1, 2, 0], (2, 2), "int64"), cotangent=A([1.0, 2.0, 3.0, 4.0], (2, 2))))
    assert call.index_text([2, 2]) == "1, 2, 0"
    assert call.index_text([2]) == "1, 0"
    assert drawn(table_of(call, [2, 2], "grad_logits")) == [
        "class   0   1   2",
        "0, 0   [0]   2   4   0   1",
        "0, 1   1   [3]   5   1   2",
        "1, 0   6   8   [10]!   2   3",
        "1, 1   [7]   9   11   0   4",
    ]


def test_unbatched_logits_are_one_row() -> None:
    """(C,) logits have one row, which an index of their own does not name."""
    call = Call(problem(A([0.5, -1.5], (2,)), A([1], (), "int64")))
    assert call.index_text([0, 1]) == "1"
    assert drawn(table_of(call, [0, 1], "grad_logits")) == ["class   0   1", "0   0.5   [-1.5]!   1"]


def test_probability_targets_stand_below_their_logits() -> None:
    """A gradient of the target marks the target's element."""
    call = Call(problem(A([1.0, 2.0], (1, 2)), A([0.25, 0.75], (1, 2))))
    assert drawn(table_of(call, [0, 1], "grad_target")) == ["class   0   1", "0   1   2", "target   0.25   0.75!"]


def test_large_arrays_keep_what_is_marked_and_both_ends() -> None:
    """Where nothing repeats, a few columns and rows are left, the marked ones among them."""
    rows, classes = 40, 60
    values = [float(v) for v in range(rows * classes)]
    call = Call(problem(A(values, (rows, classes), "float64"), A([30] * rows, (rows,), "int64")))
    table = table_of(call, [25, 41], "grad_logits")
    assert table is not None
    assert len(table.columns) <= 17
    assert len(table.lines) <= 12
    assert {"0", "30", "41", "59"} <= set(table.columns)
    assert {"0", "25", "39"} <= {line.head for line in table.lines}
    assert sum(entry.wrong for line in table.lines for entry in line.entries) == 1


def test_what_fits_no_table_is_said_in_words() -> None:
    """Recipes, empty batches and arrays of a wrong shape are described with their dtype and shape."""
    recipe = {"dtype": "float32", "shape": [8, 50257], "recipe": "all zero but [0, 7] = 20"}
    call = Call(problem(recipe, A([7] * 8, (8,), "int64")))
    assert table_of(call) is None
    assert call.facts()[0] == ("logits", "float32 (8, 50257), by recipe: all zero but [0, 7] = 20")
    empty = Call(problem(A([], (0, 5)), A([], (0,), "int64")))
    assert table_of(empty) is None
    misshapen = Call(problem(A([1.0, 2.0], (1, 2)), A([0, 1, 2], (3,), "int64"), weight=A([1.0] * 3, (3,))))
    assert dict(misshapen.facts())["target"] == "int64 (3,): 0, 1, 2"
    assert dict(misshapen.facts())["weight"] == "float32 (3,): 1, 1, 1"
    assert drawn(table_of(misshapen)) == ["class   0   1", "0   1   2"]


def test_a_cotangent_of_ones_is_none() -> None:
    """Every gradient of a loss alone has it: only another one is worth a column."""
    logits, target = A([1.0, 2.0], (1, 2)), A([0], (1,), "int64")
    ones, twos = (Call(problem(logits, target, cotangent=A([v], (1,)))) for v in (1.0, 2.0))
    assert "cotangent" not in dict(ones.facts())
    assert dict(twos.facts())["cotangent"] == "float32 (1,)"
    assert drawn(table_of(ones)) == ["class   0   1", "0   [1]   2   0"]
    assert drawn(table_of(twos)) == ["class   0   1", "0   [1]   2   0   2"]


def test_a_cotangent_of_ones_is_shown_where_the_failure_may_be_about_it() -> None:
    """About its strides, its dtype, or what the message names."""
    logits, target = A([1.0, 2.0, 3.0, 4.0], (2, 2)), A([0, 1], (2,), "int64")
    ones = A([1.0, 1.0], (2,))
    strided = Call(problem(logits, target, cotangent={**ones, "strides": [2]}))
    assert dict(strided.facts())["cotangent"] == "float32 (2,), strides (2,) in elements"
    wide = Call(problem(logits, target, cotangent={**ones, "dtype": "float64"}))
    assert dict(wide.facts())["cotangent"] == "float64 (2,)"
    named = Call(problem(logits, target, cotangent=ones), names_cotangent=True)
    assert dict(named.facts())["cotangent"] == "float32 (2,)"
    assert drawn(table_of(named)) == ["class   0   1", "0   [1]   2   0   1", "1   3   [4]   1   1"]


def test_labels_outside_the_classes_are_shown_and_mark_nothing() -> None:
    """An invalid label is a value like any other."""
    call = Call(problem(A([1.0, 2.0], (1, 2)), A([2**40], (1,), "int64")))
    assert drawn(table_of(call, [9, 9], "loss")) == ["class   0   1", "0   1   2   1099511627776"]
