"""A backend that is right at the sizes that tests have, and wrong between them, does not pass."""

from dataclasses import replace
from functools import cache

from mutants.numpy_twin import NumpyTwin
from xent_conformance.detection.kills import Corpus, kills
from xent_conformance.judging.profiles import Settings
from xent_conformance.requirements.registry import load

#: Stretches between the edges that problems lay at before sizes of every magnitude were drawn.
BETWEEN = ((66, 99), (131, 254), (301, 510), (1026, 2046), (4098, 32766))


#: Stretches of numbers of rows above those that problems of many classes have.
ROWS_BETWEEN = ((4098, 8190), (8194, 16382), (16386, 32766), (32770, 65534))


class DoubledBetween(NumpyTwin):
    """Losses of some numbers of classes are twice as large as they should be; ``among`` are the stretches."""

    among = BETWEEN

    def row_losses(self, call):
        doubled = any(first <= call.classes <= last for first, last in self.among)
        return super().row_losses(call) * (2 if doubled else 1)


class DoubledBatches(NumpyTwin):
    """Losses of some numbers of rows are twice as large as they should be."""

    among = ROWS_BETWEEN

    def row_losses(self, call):
        losses = super().row_losses(call)
        return losses * (2 if any(first <= len(losses) <= last for first, last in self.among) else 1)


@cache
def corpus(seed):
    """The problems of a seed, drawn and answered once for all backends."""
    return Corpus(Settings("default", seed))


def seeds_that_find(backend):
    """How many of ten seeds find a backend by the stream of sizes alone."""
    found = [kills(backend, [load()["accuracy.any-size"]], corpus(seed)) for seed in range(10)]
    return sum(map(bool, found))


def test_doubled_losses_between_the_edges_are_found_whatever_the_seed():
    assert seeds_that_find(DoubledBetween("doubled", ("float32",))) >= 9


def test_a_single_stretch_is_found_by_most_seeds():
    for stretch in BETWEEN[1:]:
        backend = DoubledBetween("doubled", ("float32",))
        backend.among = (stretch,)
        assert seeds_that_find(backend) >= 7, stretch


def test_doubled_losses_of_long_batches_are_found_by_most_seeds():
    for stretch in ROWS_BETWEEN:
        backend = DoubledBatches("doubled", ("float32",))
        backend.among = (stretch,)
        assert seeds_that_find(backend) >= 6, stretch


def test_large_sizes_are_tried_although_each_shape_is_compiled():
    """A seed has one shape of each level, few of which are long: thousands of classes, or tens of thousands of rows."""
    for kind, least in ((DoubledBetween, 4098), (DoubledBatches, 16385)):
        backend = kind("doubled", ("float32",))
        backend.capabilities = replace(backend.capabilities, static_shapes=True)
        backend.among = ((least, 2**20),)
        assert seeds_that_find(backend) >= 9, kind


def test_the_same_backend_with_nothing_doubled_is_not_found():
    backend = DoubledBetween("right", ("float32",))
    backend.among = ()
    assert seeds_that_find(backend) == 0
