"""How `build` lays out a network in memory."""

import pytest
import tiny
import torch

from rem.networks.build import build

CPU = torch.device("cpu")


@pytest.fixture
def built(monkeypatch):
    """A function from a processor's instructions, as torch names them, and a precision to an untrained network."""

    def build_on(capability, precision="float32"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
        torch.manual_seed(0)
        return build(tiny.run(training={"precision": precision}), CPU)

    return build_on


@pytest.mark.parametrize(
    ("capability", "precision", "last"),
    [
        ("AVX2", "float32", True),
        ("AVX512", "float32", False),
        ("DEFAULT", "float32", False),
        ("AVX512", "bfloat16", True),
    ],
)
def test_the_channels_are_last_where_that_is_faster(built, capability, precision, last):
    weight = built(capability, precision).primary.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == last
    assert weight.is_contiguous() != last


def test_the_order_in_memory_changes_nothing_but_rounding(built):
    first, last = built("AVX512"), built("AVX2")
    assert all(torch.equal(*both) for both in zip(first.parameters(), last.parameters(), strict=True))
    data = tiny.run().data
    images = torch.rand(3, data.channels, data.size, data.size)
    for one, other in zip(first(images), last(images), strict=True):
        torch.testing.assert_close(one, other)
