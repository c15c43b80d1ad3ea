"""The quantizer q_K (Eq. 7) and the choice of K."""

from fractions import Fraction

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rem.errors import RemError
from rem.trees import quantizer
from rem.trees.levels import edge_distance

LEVELS = (2, 3, 6, 11, 128, 256)
quick = settings(derandomize=True, deadline=None, max_examples=60)


def couplings_off_the_edges(levels: int, count: int = 300) -> np.ndarray:
    """Numbers in [0, 1], none of them (nearly) halfway between two centres."""
    x = np.random.default_rng(levels).random(count)
    from_edge = np.abs(x * (levels - 1) % 1 - 0.5)
    return np.concatenate([x[from_edge > 1e-3], [0.0, 1.0]])


@pytest.mark.parametrize("levels", LEVELS)
def test_indices_are_those_of_the_nearest_centre(levels: int):
    x = couplings_off_the_edges(levels)
    assert np.asarray(quantizer.keys(x, levels)).tolist() == [reference.index(c, levels) for c in x]


@pytest.mark.parametrize("levels", LEVELS)
def test_values_are_the_centres(levels: int):
    x = couplings_off_the_edges(levels)
    expected = [reference.quantize(c, levels) for c in x]
    assert np.asarray(quantizer.quantize(x, levels)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_and_arrays_get_the_same_levels(levels: int, dtype: torch.dtype):
    x = torch.tensor(couplings_off_the_edges(levels), dtype=dtype)
    from_tensor, from_array = quantizer.keys(x, levels), quantizer.keys(x.numpy(), levels)
    assert np.issubdtype(np.asarray(from_tensor).dtype, np.integer)
    assert np.asarray(from_tensor).tolist() == np.asarray(from_array).tolist()
    values = quantizer.quantize(x, levels)
    assert isinstance(values, torch.Tensor)
    assert values.dtype == dtype
    assert np.array_equal(values.numpy(), quantizer.quantize(x.numpy(), levels))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_network_computes_with_the_levels_that_its_keys_are_made_of(levels: int, dtype: type):
    edges = (np.arange(levels - 1) + 0.5) / (levels - 1)
    near_edges = [edges, np.nextafter(edges, 0), np.nextafter(edges, 1)]
    x = np.concatenate([np.random.default_rng(0).random(500), *near_edges]).astype(dtype)
    values = quantizer.quantize(torch.tensor(x), levels).numpy()
    assert np.array_equal(np.rint(values * (levels - 1)), np.asarray(quantizer.keys(x, levels)))


def test_the_shape_is_kept():
    x = np.random.default_rng(0).random((2, 3, 4))
    assert quantizer.keys(x, 11).shape == (2, 3, 4)
    assert quantizer.quantize(torch.tensor(x), 11).shape == (2, 3, 4)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_first_and_the_last_level_are_0_and_1(levels: int):
    assert np.asarray(quantizer.keys(np.array([0.0, 1.0]), levels)).tolist() == [0, levels - 1]
    assert np.asarray(quantizer.quantize(np.array([0.0, 1.0]), levels)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("levels", LEVELS)
def test_quantizing_twice_is_quantizing_once(levels: int):
    once = quantizer.quantize(couplings_off_the_edges(levels), levels)
    assert np.array_equal(quantizer.quantize(once, levels), once)
    once = quantizer.quantize(torch.tensor(couplings_off_the_edges(levels), dtype=torch.float32), levels)
    assert torch.equal(quantizer.quantize(once, levels), once)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_levels_are_symmetric(levels: int):
    x = couplings_off_the_edges(levels)
    mirrored = np.asarray(quantizer.keys(1 - x, levels)).astype(int)
    assert (mirrored == levels - 1 - np.asarray(quantizer.keys(x, levels)).astype(int)).all()


@quick
@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.sampled_from(LEVELS))
def test_a_larger_coupling_never_gets_a_lower_level(couplings: list[float], levels: int):
    found = np.asarray(quantizer.keys(np.sort(np.array(couplings)), levels)).astype(int)
    assert (np.diff(found) >= 0).all()


@quick
@given(st.floats(0, 1), st.integers(2, 256))
def test_the_error_is_at_most_half_a_level(coupling: float, levels: int):
    error = abs(float(np.asarray(quantizer.quantize(np.array([coupling]), levels))[0]) - coupling)
    assert error <= 0.5 / (levels - 1) + 1e-12


# Cells in the place of centres


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_cell_holds_what_lies_from_its_lower_edge_to_below_its_upper_one(levels: int, dtype: type):
    x = np.random.default_rng(levels).random(300).astype(dtype)
    x = x[np.abs(x * levels % 1 - 0.5) < 0.49]  # off the edges
    expected = [max(k for k in range(levels) if k / levels <= c) for c in x.tolist()]
    for values in (x, torch.tensor(x)):
        found = quantizer.keys(values, levels, cells=True)
        assert np.asarray(found).tolist() == expected
        assert np.asarray(found).dtype == np.uint8
        middles = np.asarray(quantizer.quantize(values, levels, cells=True))
        assert middles == pytest.approx((np.array(expected) + 0.5) / levels, abs=1e-7)


@pytest.mark.parametrize("levels", LEVELS)
def test_an_edge_between_cells_belongs_to_the_upper_one_and_1_to_the_last(levels: int):
    edges = np.arange(levels + 1) / levels
    exact = edges[(edges * levels) == np.arange(levels + 1)]
    found = quantizer.keys(exact, levels, cells=True).tolist()
    assert found == [min(k, levels - 1) for k in np.rint(exact * levels).astype(int).tolist()]
    assert quantizer.keys(np.array([0.0, 1.0]), levels, cells=True).tolist() == [0, levels - 1]
    assert quantizer.keys(np.float32(1.0), levels, cells=True) == levels - 1


def test_the_cells_of_tiny_imagenet_put_a_200th_into_the_first_of_128():
    assert quantizer.keys(np.float32(1 / 200), 128, cells=True) == 0  # [0, .0078): .005 is well inside
    assert quantizer.keys(np.float32(1 / 200), 128) == 1  # from .0039 to .0118


@pytest.mark.parametrize("cells", [False, True])
@pytest.mark.parametrize("levels", LEVELS)
def test_the_key_of_a_coupling_is_the_number_of_the_edges_below_it(levels: int, cells: bool):
    x, edges = couplings_off_the_edges(levels), quantizer.edges(levels, cells)
    x = x[np.abs(x[:, None] - edges[1:-1]).min(axis=1) > 1e-9]
    assert len(edges) == levels + 1
    assert (edges[0], edges[-1]) == (0, 1)
    assert quantizer.keys(x, levels, cells).tolist() == np.searchsorted(edges[1:-1], x).tolist()


@pytest.mark.parametrize("cells", [False, True])
def test_the_centres_are_numerators_over_one_denominator(cells: bool):
    x, levels = torch.rand(5, 1, 7, generator=torch.Generator().manual_seed(0)), torch.tensor([[2], [11], [128]])
    numerators, denominators = quantizer.fraction(x, levels, cells)
    for row, level in enumerate(levels.flatten().tolist()):
        assert torch.equal((numerators / denominators)[:, row], quantizer.quantize(x[:, 0], level, cells))


def test_six_levels_have_an_edge_on_a_tenth_and_eleven_have_not():
    assert edge_distance(6, 10) == 0
    assert edge_distance(11, 10) == Fraction(1, 20)


@pytest.mark.parametrize(("levels", "told"), [(257, "room for 256 levels"), (1, "rounded to 2 levels or more")])
@pytest.mark.parametrize("of_type", [int, np.int64])
def test_a_k_that_keys_cannot_have_is_refused(levels: int, told: str, of_type: type):
    with pytest.raises(RemError, match=told):
        quantizer.keys(np.array([0.0, 1.0]), of_type(levels))
