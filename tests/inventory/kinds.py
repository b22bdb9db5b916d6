"""What an entry of the inventory holds, and one check for each kind of fault.

A check takes an entry and raises an AssertionError, or whatever the package raised, if the kind
does not hold. `python -m tests.inventory.report` runs them all and lists what fails.
"""

import copy
import dataclasses
import io
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.utils._pytree import tree_leaves

from attnoise.errors import CheckpointError, ConfigError, DataError, ShapeError

from .strict_device import NAME, make_generator, strict_device

OURS = (ShapeError, ConfigError, DataError, CheckpointError)
KINDS = ("device", "reads", "precision", "ranges", "finite", "memory", "compile", "config")

# Which kinds hold for a family of names; the others do not apply, for the reason that stands there.
NO_TENSOR = dict.fromkeys(("device", "reads", "precision", "finite"), "it makes no tensor")
NOT_KEPT = {"memory": "nothing is kept between calls"}
NO_FORWARD = {"compile": "it is neither a forward nor a loss"}
NO_CONFIG = {"config": "it is no config"}
ON_HOST = {
    "reads": "its result is on the host",
    "precision": "it computes in float64 on the host",
    "finite": "it computes in float64 on the host",
}
FAMILIES: dict[str, Mapping[str, str]] = {
    "model": NO_CONFIG,
    "loss": {**NO_CONFIG, **NOT_KEPT},
    "sampler": {**NO_CONFIG, **NO_FORWARD},
    "function": {**NO_CONFIG, **NO_FORWARD, **NOT_KEPT},
    "whole numbers": {
        **NO_CONFIG, **NO_FORWARD, **NOT_KEPT,
        "precision": "it holds no fractions", "finite": "it holds no fractions",
    },
    "config": {**NO_TENSOR, **NOT_KEPT, **NO_FORWARD},
    "path": {**NO_TENSOR, **NOT_KEPT, **NO_FORWARD},
    "plain": {**NO_TENSOR, **NO_CONFIG, **NO_FORWARD, **NOT_KEPT},
    "measure": {**ON_HOST, **NO_CONFIG, **NO_FORWARD, **NOT_KEPT},
}  # fmt: skip
NOTHING_APPLIES = {
    "constant": "it is a constant",
    "record": "it holds what it is given",
    "protocol": "it is a protocol",
    "loader": "it reads a file",
}
FAMILIES |= {family: dict.fromkeys(KINDS, why) for family, why in NOTHING_APPLIES.items()}
FAMILIES["loader"] = {k: v for k, v in FAMILIES["loader"].items() if k != "ranges"}


@dataclass
class Place:
    """Where an example is built: a device, a dtype, and where its generators live."""

    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    generators: str = "cpu"
    rounded: torch.dtype | None = None  # numbers are rounded to it, but kept in dtype

    def _put(self, x: Tensor) -> Tensor:
        x = x if self.rounded is None else x.to(self.rounded)
        return x.to(self.dtype).to(self.device)

    def normal(self, *shape: int, seed: int = 0) -> Tensor:
        """Return standard normal numbers, the same at every place."""
        return self._put(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))

    def images(self, *shape: int, seed: int = 1) -> Tensor:
        """Return pixels in [-1, 1]."""
        drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        return self._put(2 * drawn - 1)

    def fill(self, value: float, *shape: int) -> Tensor:
        """Return one number everywhere."""
        return self._put(torch.full(shape, value))

    def times(self, *values: float) -> Tensor:
        """Return times, which stay float32 whatever the samples are."""
        return torch.tensor(values).to(self.device)

    def whole(self, *values: Any) -> Tensor:
        """Return whole numbers."""
        return torch.tensor(values if len(values) > 1 else values[0]).to(self.device)

    def generator(self, seed: int = 0) -> torch.Generator:
        """Return a generator where generators live."""
        if self.generators == NAME:
            return make_generator(seed)
        return torch.Generator().manual_seed(seed)

    def model(self, make: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
        """Return a module in evaluation mode, away from its start, where many answers are 0."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = make(*args, **options)
            with torch.no_grad():
                for weight in module.parameters():
                    weight.add_(0.1 * torch.randn_like(weight))
        if self.rounded is not None:
            module.to(self.rounded)
        return module.to(self.dtype).to(self.device).eval()


Call = tuple[Callable, dict[str, Any]]
Changes = Mapping[str, Any] | Callable[[Place], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What holds for one public name.

    Args:
        family: Which kinds apply; see FAMILIES.
        call: An example at a place: what is called, and its arguments by name.
        bad: Changes of the example's arguments that must raise one of the package's errors, which
            names a changed argument; `build` for those of a class's constructor.
        build: A constructor and its arguments, where `call` calls what was constructed.
        bad_build: Changes of the constructor's arguments.
        extreme: Legal changes after which everything must still be finite.
        but: Kinds that do not apply to this one, and why.
        also: Kinds that apply although those of its family do not.
        aka: Words that an error may call an argument by, beside its name.
        rtol: Of the differences that half precision may make.
    """

    family: str
    call: Callable[[Place], Call] | None = None
    bad: Sequence[Changes] = ()
    build: Callable[[], Call] | None = None
    bad_build: Sequence[Mapping[str, Any]] = ()
    extreme: Sequence[Changes] = ()
    but: Mapping[str, str] = field(default_factory=dict)
    also: Sequence[str] = ()
    aka: Sequence[str] = ()
    rtol: float = 1.0

    def reason(self, kind: str) -> str | None:
        """Return why a kind does not apply, or None if it does."""
        if kind in self.but:
            return self.but[kind]
        return None if kind in self.also else FAMILIES[self.family].get(kind)


def run(call: Call, changes: Mapping[str, Any] | None = None) -> Any:
    """Call an example, with some arguments changed, and take all steps of an iterator."""
    function, arguments = call
    result = function(**{**arguments, **(changes or {})})
    return list(result) if isinstance(result, Iterator) else result


def tensors(result: Any) -> list[Tensor]:
    """Return the tensors in a result, and its arrays and fractions as tensors."""
    found = []
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif isinstance(leaf, float | np.ndarray):
            found.append(torch.as_tensor(leaf))
    return found


def check_device(entry: Entry) -> None:
    """It runs on a strict device, with a generator there or on the CPU: the CPU's result."""
    expected = tensors(run(entry.call(Place())))
    for generators in (NAME, "cpu"):
        with strict_device():
            result = run(entry.call(Place(NAME, generators=generators)))
            if entry.family not in ("measure", "plain"):
                places = {x.device.type for x in tree_leaves(result) if isinstance(x, Tensor)}
                assert places <= {NAME}, f"the result lies on {places}"
            found = tensors(result)
            moved = [x.cpu() for x in found]
        assert len(moved) == len(expected)
        for ours, theirs in zip(moved, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4, check_dtype=False)


def check_reads(entry: Entry) -> None:
    """No value is read back from the device."""
    with strict_device() as traffic:
        call = entry.call(Place(NAME))
        traffic.reads.clear()
        run(call)
        reads = dict(traffic.reads)
    assert not reads, f"reads back: {reads}"


def check_precision(entry: Entry) -> None:
    """In half precision it lands near what float32 makes of the same numbers."""
    for dtype, most in ((torch.bfloat16, 0.05), (torch.float16, 0.01)):
        found = tensors(run(entry.call(Place(dtype=dtype))))
        expected = tensors(run(entry.call(Place(rounded=dtype))))
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.isfinite(ours.float()).all(), f"{dtype}: not finite"
            away = (ours.float() - theirs.float()).norm() / theirs.float().norm().clamp(min=1e-6)
            assert away <= most * entry.rtol, f"{dtype}: {away:.3f} from float32's result"


def check_ranges(entry: Entry) -> None:
    """Bad arguments raise one of the package's errors, which names the argument."""
    pairs = [(lambda: entry.call(Place()), changes) for changes in entry.bad]
    pairs += [(entry.build, changes) for changes in entry.bad_build]
    assert pairs, "there is no bad example"
    problems = []
    for make, changes in pairs:
        problem = refusal(make(), resolve(changes), entry.aka)
        if problem:
            problems.append(problem)
    assert not problems, "; ".join(problems)


def resolve(changes: Changes) -> Mapping[str, Any]:
    """Return changes, made now if they are made from public names."""
    return changes(Place()) if callable(changes) else changes


def refusal(call: Call, changes: Mapping[str, Any], aka: Sequence[str] = ()) -> str | None:
    """Return what is wrong with the answer to bad arguments; None if it is right."""
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in changes.items())
    try:
        run(call, changes)
    except OURS as error:
        if names_one_of({*changes, *aka}, str(error)):
            return None
        return f"{shown}: {type(error).__name__} does not name it: {str(error)[:120]}"
    except Exception as error:  # whatever else comes is the fault that is looked for
        return f"{shown}: {type(error).__name__}: {str(error)[:120]}"
    return f"{shown}: accepted"


def names_one_of(names: Iterable[str], text: str) -> bool:
    """Whether a text names an argument: as a word, one of several, or with spaces in it."""
    words = [re.escape(name.removesuffix("s")).replace("_", "[ _]") for name in names]
    return any(re.search(rf"\b{word}s?\b", text) for word in words)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        few = value.flatten()[:2].tolist()
        return f"<{str(value.dtype)[6:]} {tuple(value.shape)} {few}>"
    return repr(value)[:40]


def check_finite(entry: Entry) -> None:
    """The result and its gradients are finite, at the example and at the extremes."""
    for changes in ({}, *entry.extreme):
        call, changes = entry.call(Place()), resolve(changes)
        result = tensors(run(call, changes))
        assert result, "there is no tensor in the result"
        for x in result:
            assert torch.isfinite(x.float()).all(), f"not finite with {changes}"
        learning = [x for x in result if x.requires_grad]
        if learning:
            sum(x.float().sum() for x in learning).backward()
            modules = [v for v in (call[0], *call[1].values()) if isinstance(v, nn.Module)]
            for weight in (w for module in modules for w in module.parameters()):
                assert weight.grad is None or torch.isfinite(weight.grad).all(), "gradient"


def check_memory(entry: Entry) -> None:
    """A sampler keeps no graph; a model survives deepcopy, pickle and torch.save, used or not."""
    call = entry.call(Place())
    if entry.family == "sampler":
        assert not any(x.requires_grad for x in tensors(run(call))), "the graph is kept"
        return
    model, arguments = call
    for used in (False, True):
        if used:
            run(call)
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        twins = {
            "deepcopy": copy.deepcopy(model),
            "pickle": pickle.loads(pickle.dumps(model)),
            "torch.save": torch.load(buffer, weights_only=False),
        }
        for name, twin in twins.items():
            fresh = entry.call(Place())[1]  # generators and caches move on
            for ours, theirs in zip(
                tensors(run((twin, fresh))), tensors(run(entry.call(Place()))), strict=True
            ):
                torch.testing.assert_close(ours, theirs, msg=f"{name} changes the answer")


def check_compile(entry: Entry) -> None:
    """It is one graph, and the graph answers alike.

    Dynamo itself cannot take a generator that comes from outside: those breaks do not count.
    """
    function, arguments = entry.call(Place())

    def step():
        return function(**arguments)

    torch._dynamo.reset()
    counters["graph_break"].clear()
    draws = any(isinstance(value, torch.Generator) for value in arguments.values())
    found = tensors(torch.compile(step, fullgraph=not draws, backend="eager")())
    generators = ("Generator", "misc.GetAttrVariable")  # the second is its device, in older torch
    breaks = [r for r in counters["graph_break"] if not any(word in r for word in generators)]
    assert not breaks, f"{len(breaks)} graph breaks: " + " | ".join(r[:150] for r in breaks)
    for ours, theirs in zip(found, tensors(run(entry.call(Place()))), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def check_config(entry: Entry) -> None:
    """Two of the same kind are equal, hash alike, print themselves and survive pickle."""
    function, arguments = entry.call(Place())
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
    one, two, three = (run((function, given)) for given in (arguments, arguments, lists))
    assert one == two, "two of the same kind differ"
    assert hash(one) == hash(two) and len({one, two}) == 1, "they hash differently"
    assert hash(one) == hash(three) and one == three, "a list and a tuple make a difference"
    assert type(one).__name__ in repr(one)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != object()
    if dataclasses.is_dataclass(one):
        assert dataclasses.replace(one) == one


CHECKS: dict[str, Callable[[Entry], None]] = {
    "device": check_device,
    "reads": check_reads,
    "precision": check_precision,
    "ranges": check_ranges,
    "finite": check_finite,
    "memory": check_memory,
    "compile": check_compile,
    "config": check_config,
}
