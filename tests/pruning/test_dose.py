"""The dose: the sum of lambda over the optimiser's steps."""

import pytest
import tiny

from rem.errors import RemError
from rem.pruning.dose import dose_after, penalty_in, steps_per_epoch


def pruned(epochs=5, **pruning):
    return tiny.run("rem", pruning=pruning, training={"epochs": epochs})


def test_an_epoch_has_a_step_a_batch_and_the_last_may_be_smaller():
    assert [steps_per_epoch(tiny.run(), images) for images in (1, 16, 17, 40)] == [1, 1, 2, 3]  # batches of 16


def test_the_dose_is_the_sum_over_all_steps_one_by_one():
    run = pruned(penalty=0.2, penalty_decay=0.5)
    steps = [0.2 * 0.5**epoch for epoch in range(4) for _ in range(7)]
    assert dose_after(run, 4, 7) == pytest.approx(sum(steps))
    assert dose_after(run, 0, 7) == 0


def test_a_network_that_is_not_pruned_has_had_no_dose():
    assert dose_after(tiny.run(), 4, 7) == penalty_in(tiny.run(), 0, 7) == 0


@pytest.mark.parametrize("decay", [1.0, 0.78])
@pytest.mark.parametrize("dose", [0.0, 4.3])
def test_a_dose_asked_for_is_reached_after_the_last_epoch(dose, decay):
    run = pruned(epochs=9, penalty=None, dose=dose, penalty_decay=decay)
    assert dose_after(run, 9, 79) == pytest.approx(dose)
    for epoch in range(8):
        assert penalty_in(run, epoch + 1, 79) == pytest.approx(decay * penalty_in(run, epoch, 79))


def test_a_dose_that_would_take_a_penalty_above_1_is_refused():
    assert penalty_in(pruned(epochs=2, penalty=None, dose=6, penalty_decay=1.0), 0, 3) == 1
    with pytest.raises(RemError, match=r"pruning.dose is 6.1, which .* makes a penalty of 1.017, above 1; lower it"):
        penalty_in(pruned(epochs=2, penalty=None, dose=6.1, penalty_decay=1.0), 0, 3)


def test_a_penalty_is_that_of_the_first_epoch_to_the_last_bit():
    run = pruned(penalty=0.0035, penalty_decay=0.78)
    assert [penalty_in(run, epoch, 7) for epoch in range(9)] == [0.0035 * 0.78**epoch for epoch in range(9)]


def test_the_papers_schedule_has_the_papers_dose():
    """1e-4 x 0.99^epoch over 426 steps an epoch comes to 4.26."""
    run = tiny.shipped_config("paper").run("mnist", "rem", 42)
    steps = steps_per_epoch(run, 54_500)
    assert (steps, round(dose_after(run, 2000, steps), 2)) == (426, 4.26)
