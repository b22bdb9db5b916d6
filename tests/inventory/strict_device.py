"""A device that needs no hardware and is as strict as CUDA and MPS together.

`strict_device()` is a context in which torch knows a device "strict". Its tensors hold their
numbers on the CPU, but they say that they lie on "strict", and while the context lasts they

- refuse to meet CPU tensors, unless those have no axes (as on CUDA), or are indices;
- refuse float64 and complex128 (as on MPS);
- refuse a generator of another device, as CUDA does; `make_generator()` makes one of their own,
  which draws the numbers that a CPU generator with the same seed draws;
- count what makes the host wait: every value that is read back, and every copy to the device.

It needs a torch that lets Python play the backend (`AVAILABLE`); older ones have no such hooks.

Source: the wrapper subclass and the mode are torch's own extension points; see
https://pytorch.org/docs/stable/notes/extending.html#extending-torch-python-api.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_map_only

NAME = "strict"
AVAILABLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")


class _Backend(getattr(backend_registration, "_DummyBackendModule", object)):
    """What torch asks the module of a backend; randomness lives in generators alone."""

    def get_rng_state(self, device=None) -> torch.Tensor:
        return torch.zeros(0, dtype=torch.uint8)

    def set_rng_state(self, state, device=None) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


if AVAILABLE and torch._C._get_privateuse1_backend_name() != NAME:  # once a process
    # With a guard and hooks in Python, autograd and nn.Module take it for a device like others.
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())
STRICT = torch.device(NAME if AVAILABLE else "meta", 0)
REFUSED = (torch.float64, torch.complex128)

aten = torch.ops.aten
# These read a value back, or a shape that depends on values. On CUDA multinomial checks its
# probabilities on the host.
READS = {
    "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique", "_unique2",
    "unique_dim", "unique_consecutive", "bincount", "multinomial", "allclose",
}  # fmt: skip
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
COPIES = {"_to_copy", "copy_", "to", "copy"}


@dataclass
class Traffic:
    """What crossed the border between host and device, by the name of the operation."""

    reads: Counter = field(default_factory=Counter)  # the host waited for a value
    uploads: Counter = field(default_factory=Counter)  # numbers went to the device


class StrictTensor(Tensor):
    """A tensor that says that it lies on the strict device; its numbers are in `held`."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor):
        if held.dtype in REFUSED:
            raise TypeError(f"the strict device has no {held.dtype}; make it float32 first")
        made = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, layout=held.layout, device=STRICT, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made

    def __repr__(self, **_) -> str:  # type: ignore[override]
        return f"StrictTensor({tuple(self.shape)}, {self.dtype})"

    def __deepcopy__(self, memo) -> Tensor:
        if id(self) not in memo:
            copied = StrictTensor(self.held.detach().clone()).requires_grad_(self.requires_grad)
            if getattr(self, "_is_param", False):
                copied = torch.nn.Parameter(copied, self.requires_grad)
            memo[id(self)] = copied
        return memo[id(self)]

    def __reduce_ex__(self, protocol):  # a pickled one comes back to the strict device
        return _rebuild, (self.held.detach(), self.requires_grad, getattr(self, "_is_param", False))

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError("a strict tensor was used outside strict_device()")


def _rebuild(held: Tensor, requires_grad: bool, is_param: bool) -> Tensor:
    tensor = StrictTensor(held)
    return torch.nn.Parameter(tensor, requires_grad) if is_param else tensor


class StrictGenerator(torch.Generator):
    """A generator that says that it lives on the strict device, and draws as the CPU's does."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return STRICT


def make_generator(seed: int = 0) -> torch.Generator:
    """Return a generator of the strict device."""
    generator = StrictGenerator()
    generator.manual_seed(seed)
    return generator


class _Dispatch(TorchDispatchMode):
    """Run each operation on the CPU, after the checks of the strict device."""

    def __init__(self) -> None:
        super().__init__()
        self.traffic = Traffic()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.split("::")[1]
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        strict = [x for x in tensors if isinstance(x, StrictTensor)]
        asked = kwargs.get("device")
        asked = None if asked is None else torch.device(asked)
        to_strict = asked is not None and asked.type == NAME
        if asked is not None and to_strict:
            kwargs["device"] = torch.device("cpu")
        if not strict and not to_strict:
            return func(*args, **kwargs)
        if kwargs.get("dtype") in REFUSED and (to_strict or (strict and asked is None)):
            raise TypeError(f"{name}: the strict device has no {kwargs['dtype']}")
        self._count(name, args, strict, tensors, asked)
        if name not in COPIES:
            _check_devices(name, args, tensors)
        held = tree_map_only(StrictTensor, lambda x: x.held, (args, kwargs))
        out = func(*held[0], **held[1])
        if _writes_in_place(func):
            return args[0] if func._schema.returns else None
        if asked is not None and not to_strict:
            return out  # to the CPU
        return tree_map(lambda x: StrictTensor(x) if _plain(x) else x, out)

    def _count(self, name, args, strict, tensors, asked) -> None:
        if strict and name in READS:
            self.traffic.reads[name] += 1
        if name in INDEXING and isinstance(args[0], StrictTensor):
            indices = [i for i in args[1] if i is not None]
            masks = any(i.dtype in (torch.bool, torch.uint8) for i in indices)
            fills = name != "index" and args[2].numel() == 1  # becomes masked_fill
            if masks and not fills:
                self.traffic.reads[f"{name} by a mask"] += 1
            if any(not isinstance(i, StrictTensor) for i in indices):
                self.traffic.uploads[f"{name} by a CPU index"] += 1
        if name == "repeat_interleave" and strict:
            self.traffic.reads[name] += 1
        if name in COPIES and asked is not None:
            if strict and asked.type != NAME:
                self.traffic.reads["to the CPU"] += 1
            if not strict and asked.type == NAME:
                self.traffic.uploads["to the device"] += 1
        if name == "copy_":
            into, source = (isinstance(x, StrictTensor) for x in args[:2])
            if into and not source and args[1].ndim:
                self.traffic.uploads[name] += 1
            if source and not into:
                self.traffic.reads[name] += 1


def _plain(x) -> bool:
    return isinstance(x, Tensor) and not isinstance(x, StrictTensor)


def _writes_in_place(func) -> bool:
    first = func._schema.arguments[0] if func._schema.arguments else None
    return (
        first is not None
        and first.alias_info is not None
        and first.alias_info.is_write
        and len(func._schema.returns) <= 1
    )


def _check_devices(name: str, args, tensors: list[Tensor]) -> None:
    """Raise what CUDA raises if tensors of both devices meet."""
    if name in INDEXING:  # indices may lie on the CPU if the indexed tensor is on the device
        indices = [i for i in args[1] if i is not None]
        if not isinstance(args[0], StrictTensor) and any(
            isinstance(i, StrictTensor) for i in indices
        ):
            raise RuntimeError(
                f"{name}: indices on {STRICT}, but the tensor is on another device, cpu"
            )
        tensors = [x for x in (args[0], *args[2:3]) if isinstance(x, Tensor)]
    on_device = any(isinstance(x, StrictTensor) for x in tensors)
    for x in tensors:
        if on_device and not isinstance(x, StrictTensor) and x.ndim:
            raise RuntimeError(
                f"{name}: expected all tensors to be on the same device, but found {STRICT} and "
                f"cpu (shape {tuple(x.shape)}, {x.dtype})"
            )


class _Function(TorchFunctionMode):
    """What the dispatcher does not see: generators, and the choice among attention's kernels."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        # With an index, torch does not ask the backend which device is current: there is none.
        args, kwargs = tree_map(_with_index, (args, kwargs or {}))
        generator = kwargs.get("generator")
        if isinstance(generator, torch.Generator):
            self._check_generator(func, args, kwargs, generator)
        if func is torch.tensor and kwargs.get("device") == STRICT:
            return func(*args, **{**kwargs, "device": "cpu"}).to(STRICT)
        if func is Tensor.tolist and isinstance(args[0], StrictTensor):
            return args[0].cpu().tolist()
        if func is torch.nn.functional.scaled_dot_product_attention and isinstance(
            args[0] if args else kwargs["query"], StrictTensor
        ):
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)

    @staticmethod
    def _check_generator(func, args, kwargs, generator) -> None:
        where = kwargs.get("device")
        tensors = [x for x in tree_flatten(args)[0] if isinstance(x, Tensor)]
        if where is not None:
            where = torch.device(where).type
        elif tensors:
            where = tensors[0].device.type
        else:
            where = "cpu"
        if where != generator.device.type:
            raise RuntimeError(
                f"{getattr(func, '__name__', func)}: expected a {where!r} device type for "
                f"generator but found {generator.device.type!r}"
            )


def _with_index(x):
    named = isinstance(x, str) and x == NAME
    return STRICT if named or (isinstance(x, torch.device) and x.type == NAME) else x


def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None,
               enable_gqa=False):  # fmt: skip
    if attn_mask is not None and attn_mask.device != query.device:
        raise RuntimeError("scaled_dot_product_attention: attn_mask lies on another device")
    if attn_mask is not None and attn_mask.dtype == torch.bool:  # as the dispatcher does it
        nothing = torch.zeros_like(attn_mask, dtype=query.dtype)
        attn_mask = nothing.masked_fill(~attn_mask, float("-inf"))
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    return aten._scaled_dot_product_attention_math(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale
    )[0]


@contextmanager
def strict_device() -> Iterator[Traffic]:
    """Let torch know the device "strict" for a while, and count what crosses its border."""
    dispatch = _Dispatch()
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # so that tied weights stay tied
    try:
        with _Function(), dispatch:
            yield dispatch.traffic
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
