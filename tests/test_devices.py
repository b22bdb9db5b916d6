"""A function that computes on the CPU does so under every default device."""

import torch

from attnoise.devices import on_cpu


@on_cpu
def ones(n: int) -> torch.Tensor:
    """Make ones."""
    return torch.ones(n)


def test_tensors_are_made_on_the_cpu():
    with torch.device("meta"):
        assert torch.ones(2).device.type == "meta"
        assert ones(2).tolist() == [1.0, 1.0]
        assert torch.ones(2).device.type == "meta"  # as before


def test_the_function_keeps_its_name():
    assert (ones.__name__, ones.__doc__) == ("ones", "Make ones.")
