"""The strict device: wrong functions that it must catch, right ones that it must let pass."""

import copy
import pickle

import pytest
import torch
from einops import rearrange
from torch import nn
from torch.nn import functional as F

from .strict_device import AVAILABLE, NAME, STRICT, make_generator, strict_device

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this torch has no backends in Python")


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape).to(NAME)


def draw_on_the_cpu(x):
    return x + torch.randn(x.shape)


def draw_with_its_own_generator(x):
    return torch.randn(x.shape, generator=make_generator())


def draw_with_a_cpu_generator(x):
    return torch.randn(x.shape, generator=torch.Generator(), device=x.device)


def sample_with_a_cpu_generator(x):
    return torch.multinomial(x, 1, generator=torch.Generator())


def go_through_float64(x):
    return x.double().sum().float()


def make_float64_times(x):
    return x * torch.linspace(0, 1, 4, dtype=torch.float64, device=x.device)


def embed_cpu_tokens(x):
    return nn.Embedding(4, 4).to(x.device)(torch.zeros(4, dtype=torch.long))


def forget_a_buffer(x):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.ones(4)

        def forward(self, x):
            return x + self.table

    return Net().to(x.device)(x)


def mask_made_on_the_cpu(x):
    return x.masked_fill(torch.ones(4, 4, dtype=torch.bool).tril(), 0)


def attend_under_a_cpu_mask(x):
    return F.scaled_dot_product_attention(x, x, x, torch.ones(4, 4, dtype=torch.bool))


def pick_cpu_rows_by_a_device_index(x):
    return torch.arange(4.0)[x[0].long()]


def join_devices(x):
    return torch.cat([x, torch.zeros(1, 4)])


def to_numpy_at_once(x):
    return x.numpy()


WRONG = [
    draw_on_the_cpu,
    draw_with_its_own_generator,
    draw_with_a_cpu_generator,
    sample_with_a_cpu_generator,
    go_through_float64,
    make_float64_times,
    embed_cpu_tokens,
    forget_a_buffer,
    mask_made_on_the_cpu,
    attend_under_a_cpu_mask,
    pick_cpu_rows_by_a_device_index,
    join_devices,
    to_numpy_at_once,
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda f: f.__name__)
def test_a_wrong_function_is_caught(wrong):
    with strict_device(), pytest.raises((RuntimeError, TypeError), match="device|float64|subclass"):
        wrong(ones(4, 4))


def test_a_network_moves_runs_and_learns_as_on_the_cpu():
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(), nn.Linear(64, 3)
    )
    x, target = torch.randn(2, 2, 4, 4), torch.tensor([0, 2])
    F.cross_entropy(net(x), target).backward()
    expected = net[0].weight.grad.clone()
    net.zero_grad()
    with strict_device() as traffic:
        net.to(NAME)
        F.cross_entropy(net(x.to(NAME)), target.to(NAME)).backward()
        assert net[0].weight.device == STRICT
        assert not traffic.reads
        torch.optim.AdamW(net.parameters()).step()
        torch.testing.assert_close(net[0].weight.grad.cpu(), expected)


def test_tied_weights_stay_tied_and_state_dicts_load():
    embedding, head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
    head.weight = embedding.weight
    model = nn.ModuleList([embedding, head])
    saved = {name: 2 * tensor for name, tensor in model.state_dict().items()}
    with strict_device():
        model.to(NAME)
        assert model[0].weight is model[1].weight
        model.load_state_dict(saved)
        assert torch.equal(model[1].weight.cpu(), saved["1.weight"])
        tokens = torch.tensor([[1, 2]], device=NAME)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert twin[0](tokens).device == STRICT
            assert torch.equal(twin[0](tokens).cpu(), model[0](tokens).cpu())


def test_a_generator_draws_the_same_there_and_on_the_cpu():
    expected = torch.randn(5, generator=torch.Generator().manual_seed(3))
    with strict_device():
        there = torch.randn(5, generator=make_generator(3), device=NAME)
        moved = torch.randn(5, generator=torch.Generator().manual_seed(3)).to(NAME)
        assert torch.equal(there.cpu(), expected) and torch.equal(moved.cpu(), expected)


def test_what_cuda_allows_is_allowed():
    with strict_device() as traffic:
        x = ones(4, 4)
        assert (x * torch.tensor(2.0)).device == STRICT  # a CPU scalar
        assert x[torch.arange(2)].device == STRICT  # a CPU index
        x[0] = torch.zeros(4)  # a copy from the CPU
        x[x > 0] = 2.0  # a fill by a mask
        assert rearrange(x, "a b -> b a").device == STRICT
        assert F.scaled_dot_product_attention(x, x, x, is_causal=True).device == STRICT
        assert torch.isin(x, torch.tensor([2.0], device=x.device)).device == STRICT
        assert not traffic.reads


READS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool((x > 0).all()),
    "int": lambda x: int(x.max()),
    "tolist": lambda x: x.tolist(),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "equal": lambda x: torch.equal(x, x),
    "cpu": lambda x: x.cpu(),
    "repeats": lambda x: torch.repeat_interleave(x, x[0].long(), dim=0),
    "unique": lambda x: x.unique(),
    "if": lambda x: 1 if x.sum() > 0 else 2,
    "multinomial": lambda x: torch.multinomial(x, 1),
}


@pytest.mark.parametrize("name", READS)
def test_what_is_read_back_is_counted(name):
    with strict_device() as traffic:
        x = ones(4, 4)
        assert not traffic.reads
        READS[name](x)
        assert sum(traffic.reads.values()) >= 1


def test_nothing_of_it_is_left_outside():
    with strict_device():
        ones(2)
    with pytest.raises(RuntimeError):
        torch.ones(2).to(NAME) + 1
    assert torch.ones(2).device.type == "cpu"
