"""The map of coverage: what the page says of what `xent coverage` wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matrices
import pytest
import records

import xent_reports
from xent_conformance.cli import main
from xent_conformance.records.record import RecordError
from xent_reports import coverage_map


def page_with(tmp_path: Path, content: object) -> str:
    """A page with a map."""
    path = matrices.written(tmp_path / "coverage.json", content)
    run = records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x"))
    return xent_reports.render(run, tmp_path / "out", coverage=path).read_text("utf-8")


def test_sizes_are_a_map_with_a_shade_for_each_factor_of_ten(tmp_path: Path) -> None:
    """Rows below each other, classes beside each other; what no call has is empty."""
    page = page_with(tmp_path, matrices.coverage())
    assert '<thead><tr><th scope="col">rows ↓ classes →<th scope="col">2<th scope="col">4k</thead>' in page
    assert '<th scope="row">1<td class=h5>150<td class=h3>1\n' in page
    assert '<th scope="row">64<td class=h5>49<td>\n' in page
    assert "200 calls by rows" in page
    assert "50 % of the 4 possible pairs of levels, and 100 % of the 0 triples" in page


def test_levels_that_no_call_has_and_pairs_that_never_met_are_named(tmp_path: Path) -> None:
    """Each level has its calls; of pairs there is a line for each level and factor."""
    page = page_with(tmp_path, matrices.coverage())
    assert "<span class=h5>none 200</span> <span class=h0>negative ∅</span>" in page
    assert re.search(
        r"<summary>1 group of pairs never tried together</summary>\s*<ul class=small><li>form gradient"
        r" with weight: none, positive\s*</ul>",
        page,
    )


@pytest.mark.parametrize(
    "change",
    [{"sizes": [[1, 2]]}, {"levels": {"form": {"loss": -1}}}, {"pairs": {"met": 1}}, {"missing_pairs": [[1, 2]]}],
    ids=str,
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    """Numbers that are missing or negative are no coverage."""
    path = matrices.written(tmp_path / "odd.json", matrices.coverage(**change))
    with pytest.raises(RecordError, match=r"odd\.json: not a result of `xent coverage`"):
        coverage_map.read(path)


def test_what_the_command_writes_is_read(tmp_path: Path) -> None:
    """The calls of all sizes, and of the levels of each factor that every call has, add up to all calls."""
    path = tmp_path / "coverage.json"
    arguments = ["--profile", "quick", "--dtypes", "float32", "--output", str(path)]
    assert main(["coverage", "numpy", *arguments]) == 0
    found = coverage_map.read(path)
    assert found.calls == json.loads(path.read_text())["calls"] > 0
    assert sum(tile.calls for _, tiles in found.sizes for tile in tiles) == found.calls
    factors = {name: sum(tile.calls for tile in tiles) for name, tiles in found.factors}
    assert factors["dtype"] == factors["rows"] == factors["form"] == found.calls
    assert found.pairs.met <= found.pairs.possible
