"""The limits of calls: longer for what may compile, short after a hang."""

from xent_conformance.isolation.time_limits import TimeLimits


def test_the_first_call_of_all_has_four_times_the_limit():
    assert TimeLimits(20.0).limit("shape") == 80.0


def test_after_quick_calls_a_first_call_has_the_usual_limit_and_four_times_that_when_made_again():
    times = TimeLimits(20.0)
    times.returned("shape", 0.01)
    assert times.limit("other") == 20.0
    assert times.limit("other", again=True) == 80.0
    # The new process has not seen the shape either.
    assert times.limit("shape", again=True) == 80.0


def test_after_a_call_that_was_compiled_a_first_call_has_more():
    times = TimeLimits(20.0)
    times.returned("shape", 0.3)
    assert times.limit("other") == 30.0
    times.returned("other", 5.0)
    assert times.limit("another") == 80.0
    assert times.limit("shape") == 20.0
    times.new_process()
    assert times.limit("shape") == 80.0


def test_after_a_hang_limits_are_multiples_of_the_longest_call():
    times = TimeLimits(20.0)
    times.returned("shape", 0.01)
    times.hung()
    assert times.limit("shape") == 2.0
    assert times.limit("shape", calls=3) == 2.02
    times.hung()
    assert times.limit("shape") == 1.0
    with times.hurried():
        assert times.limit("shape") == 1.0
    for _ in range(8):
        times.hung()
    with times.hurried():
        assert times.limit("shape") == 0.5


def test_after_a_warning_a_call_has_little_time_at_first_and_four_times_that_when_made_again():
    times = TimeLimits(20.0)
    times.is_warned = True
    # The first call of all may take long to compile.
    assert times.limit("shape") == 80.0
    times.returned("shape", 0.01)
    assert (times.limit("shape"), times.limit("shape", again=True)) == (2.0, 8.0)
    times.returned("other", 0.1)
    assert (times.limit("shape"), times.limit("shape", again=True)) == (10.0, 40.0)
    times.returned("another", 1.0)
    assert (times.limit("shape"), times.limit("shape", again=True)) == (20.0, 80.0)


def test_a_hurry_within_another_ends_before_it():
    times = TimeLimits(20.0)
    with times.hurried():
        with times.hurried():
            assert times.is_hurried
        assert times.is_hurried
    assert not times.is_hurried
