"""How many examples a stream needs, and what its budget gives it."""

import random

import pytest

from xent_conformance.detection.kill_budget import needed


def test_a_kill_by_every_example_needs_one():
    assert needed(10, 10) == 1


@pytest.mark.parametrize("chance", [0.5, 0.1, 0.02])
def test_after_so_many_examples_one_seed_in_a_thousand_is_left(chance):
    source = random.Random(0)
    count = needed(1000, round(1000 / chance))
    missed = sum(all(source.random() >= chance for _ in range(count)) for _ in range(20_000))
    assert 5 <= missed <= 45
