"""What is judged when, and in how many processes where nobody says so."""

from dataclasses import dataclass, field, replace

import pytest

from xent_conformance import processors, scheduling
from xent_conformance.interface import Capabilities
from xent_conformance.judging.profiles import OPT_IN
from xent_conformance.request import Request
from xent_conformance.requirements.registry import load
from xent_conformance.scheduling import PLACE, Group, Schedule, _measured, in_order
from xent_conformance.strategies.sources import SOURCES


@dataclass(frozen=True)
class Subject:
    name: str
    dtype: str
    capabilities: Capabilities = field(default_factory=Capabilities)


def groups(name, *, static=False):
    claims = replace(Capabilities(), static_shapes=static)
    chosen = [load()[i] for i in ("accuracy.loss", "layout.square-loss", "edges.empty-batch", "weights.loss")]
    return [Group(Subject(name, dtype, claims), (r,)) for r in chosen for dtype in ("float16", "float32", "float64")]


def test_every_group_is_given_out_once():
    listed = in_order(groups("numpy") + groups("jax", static=True))
    schedule = Schedule(listed)
    given = [schedule.next(number % 3) for number in range(len(listed))]
    assert sorted(map(id, given)) == sorted(map(id, listed))
    assert schedule.next(0) is None


def test_two_processes_do_not_compile_for_the_same_dtype_while_there_is_another():
    schedule = Schedule(in_order(groups("jax", static=True)))
    given = [(schedule.next(0).subject.dtype, schedule.next(1).subject.dtype) for _ in range(4)]
    assert {len({*pair}) for pair in given} == {2}
    assert len({first for first, _ in given}) == len({second for _, second in given}) == 1


def test_the_longest_come_first_after_those_that_find_most():
    likely, seconds = _measured()
    names = [(g.requirements[0].source.name, g.subject.dtype) for g in in_order(groups("numpy"))]
    head = [name for name, dtype in names if dtype == "float32" and name in likely]
    assert names[: len(head)] == [(name, "float32") for name in sorted(head, key=likely.get)]
    rest = [seconds[name] for name, _ in names[len(head) :]]
    assert rest == sorted(rest, reverse=True)


def test_what_looks_back_at_all_other_calls_comes_last():
    back = load()["purity.surroundings"]
    chosen = [Group(Subject("numpy", dtype), (back,)) for dtype in ("float32", "float64")]
    assert in_order([*chosen, *groups("numpy")])[-2:] == chosen
    assert back.source.looks_back
    assert back.source.name not in _measured()[0]


def test_one_that_was_not_measured_comes_before_the_long_ones_and_after_those_that_find_most(monkeypatch):
    likely, seconds = _measured()
    unknown = load()["weights.loss"].source.name
    likely = {name: number for name, number in likely.items() if name != unknown}
    seconds = {name: length for name, length in seconds.items() if name != unknown}
    monkeypatch.setattr(scheduling, "_measured", lambda: (likely, seconds))
    names = [(g.requirements[0].source.name, g.subject.dtype) for g in in_order(groups("numpy"))]
    head = sum(name in likely and dtype == "float32" for name, dtype in names)
    assert 0 < head < len(names) - 3
    assert [name for name, _ in names[head : head + 3]] == [unknown] * 3
    assert unknown not in {name for name, _ in names[:head] + names[head + 3 :]}


def test_sources_that_were_measured_are_still_there():
    likely, seconds = _measured()
    load()
    assert PLACE.is_file()
    assert likely.keys() <= seconds.keys() <= SOURCES.keys()


def test_workers_of_pytest_xdist_share_the_processors(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    alone = processors.processors()
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(alone))
    assert processors.processors() == 1


def test_a_run_has_no_more_processes_than_processors_memory_and_groups(monkeypatch):
    def fitting(cpus, gigabytes, **more):
        monkeypatch.setattr(processors, "processors", lambda: cpus)
        monkeypatch.setattr(processors, "memory", lambda: gigabytes << 30)
        return processors.fitting(Request(("numpy",), **more))

    assert fitting(8, 64) == 8
    assert fitting(8, 3) == 3
    assert fitting(8, 0) == 1
    assert fitting(8, 64, only=("accuracy.loss",), dtypes=("float32",)) == 1
    assert fitting(8, 64, in_process=True) == fitting(8, 64, profile=OPT_IN) == 1


@pytest.mark.parametrize(("text", "count"), [("max 100000", 4), ("150000 100000", 2), ("20000 100000", 1), ("?", 4)])
def test_processors_are_those_of_the_group_of_processes(monkeypatch, tmp_path, text, count):
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    (tmp_path / "cpu.max").write_text(text, "ascii")
    monkeypatch.setattr(processors, "_GROUP", tmp_path)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert processors.processors() == count
