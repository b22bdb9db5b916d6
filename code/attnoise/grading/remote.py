"""The examiner's view of a submission: its functions as proxies, its values as plain data.

A proxy is called like the function it stands for; the call goes over the wire. If the submission
hangs, dies or breaks the protocol, `Gone` is raised. It is no `Exception`, so that no check takes
it for a mistake of the student's.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .channel import Channel, Closed, Late
from .proxies import Proxy, identifier, proxy, stand_in, write_back
from .wire import Decoder, Encoder, ProtocolError, clean

MISSING = object()
MAX_FUNCTIONS, MAX_CALLBACKS, MAX_DEPTH = 1000, 100_000, 20


class Gone(BaseException):
    """The submission's process is lost: it hung, died, or broke the protocol."""


class Remote:
    """Asks a submission's worker.

    Args:
        channel: The wire to it.
        seconds: How long one request may take in all, callbacks included.
    """

    def __init__(self, channel: Channel, seconds: float) -> None:
        self.channel, self.seconds = channel, seconds
        self.until = 0.0
        self.functions: list[Callable] = []
        self.raised: list[BaseException] = []
        self.sent: list[tuple[int, Tensor]] = []  # those whose gradient can be asked for
        self.proxies = self.callbacks = self.depth = 0

    def cell(self, source: str) -> tuple[tuple[str, str] | None, list[str]]:
        """Run a cell. Return what it raised, as type and text, and which checks it called."""
        reply, _ = self.ask({"do": "cell", "source": source})
        error, asked = reply.get("error"), reply.get("asked")
        if not isinstance(asked, list):
            raise Gone("it broke the protocol")
        return error and self.error(error)[:2], [name for name in asked if isinstance(name, str)]

    def answer(self, **which: str) -> Any:
        """Return what a check was given (`check=`) or a variable holds (`name=`), or MISSING."""
        reply, blob = self.ask({"do": "answer", **which})
        return MISSING if reply["is"] == "missing" else self.decoded(reply, blob)

    def call(self, function: int, arguments: tuple, options: dict) -> Any:
        """Call a function of the student's; lists and tensors that it changes are changed here."""
        encoder = self.encoder()
        message = {
            "do": "call",
            "function": function,
            "args": [encoder.encode(x) for x in arguments],
            "options": {name: encoder.encode(x) for name, x in options.items()},
        }
        reply, blob = self.ask(message, encoder.blob)
        for i, value in reply.get("changed") or []:
            if isinstance(i, int) and 0 <= i < len(arguments):
                write_back(arguments[i], self.decoded({"value": value}, blob))
        return self.decoded(reply, blob)

    def ask(self, message: dict, blob: bytes | bytearray = b"") -> tuple[dict, bytes]:
        """Send a request and return the reply; meanwhile serve the worker's callbacks.

        Raises:
            Gone: No right reply came in time.
        """
        outermost, self.depth = self.depth == 0, self.depth + 1
        if outermost:
            self.until = time.monotonic() + self.seconds
        try:
            if self.depth > MAX_DEPTH:
                raise ProtocolError("calls within calls")
            self.send(message, blob)
            while True:
                reply, blob = self.channel.receive(self.left())
                if reply.get("is") != "callback":
                    break
                self.callback(reply, blob)
        except Closed as error:
            raise Gone("its process ended") from error
        except Late as error:
            raise Gone(f"it did not come back in {self.seconds:.0f} s") from error
        except ProtocolError as error:
            raise Gone(f"it broke the protocol: {error}") from error
        finally:
            self.depth -= 1
        if reply.get("is") == "raised":
            raise self.exception(reply)
        if reply.get("is") not in ("ran", "value", "missing"):
            raise Gone("it broke the protocol")
        return reply, blob

    def left(self) -> float:
        return max(self.until - time.monotonic(), 0.01)

    def send(self, message: dict, blob: bytes | bytearray = b"") -> None:
        self.channel.send(message, blob, self.left())

    def callback(self, message: dict, blob: bytes) -> None:
        """Call a function of the check's for the student's code, and send what it returns."""
        self.callbacks += 1
        number: Any = message.get("id")
        value = self.decoded(message, blob)
        known = type(number) is int and 0 <= number < len(self.functions)
        shaped = isinstance(value, list) and len(value) == 2
        if not known or not shaped or self.callbacks > MAX_CALLBACKS:
            raise ProtocolError("no callback")
        arguments, options = value
        if not isinstance(arguments, list) or not isinstance(options, dict):
            raise ProtocolError("no callback")
        try:
            with torch.set_grad_enabled(message.get("grad") is True):
                result = self.functions[number](*arguments, **options)
            encoder = self.encoder()
            reply = {"do": "return", "value": encoder.encode(result)}
            self.send(reply, encoder.blob)
        except Exception as error:  # the check's own refusal, or wrong arguments
            if isinstance(error, ProtocolError | Closed | Late):
                raise
            self.raised.append(error)
            token, name = len(self.raised) - 1, type(error).__name__
            text = clean(str(error)[:2000])
            self.send({"do": "raise", "token": token, "type": name, "text": text})

    def exception(self, reply: dict) -> Exception:
        """Return what the student's code raised, as an exception that reads the same."""
        name, text, token = self.error(reply)
        if type(token) is int and 0 <= token < len(self.raised):
            return self.raised[token]  # type: ignore[return-value]
        base = NotImplementedError if name == "NotImplementedError" else Exception
        return type(name, (base,), {"__str__": lambda self: text})()

    def error(self, reply: Any) -> tuple[str, str, Any]:
        """Read an error: its type's name, its text, its token."""
        name, text = (reply.get(key) for key in ("type", "text"))
        if not isinstance(name, str) or not isinstance(text, str):
            raise Gone("it broke the protocol")
        return identifier(name), clean(text[:2000]), reply.get("token")

    def encoder(self) -> Encoder:
        return Encoder(self.own, self.mark)

    def own(self, value: Any) -> dict:
        """Lend a function of the check's."""
        if not callable(value):
            raise TypeError(f"a check handed over a {type(value).__name__}")
        if isinstance(value, Proxy):
            raise ProtocolError("a function came back")
        self.functions.append(value)
        return {"b": len(self.functions) - 1}

    def mark(self, tensor: Tensor) -> int | None:
        """Number a tensor whose gradient is wanted: odd for leaves, even for all others."""
        if not tensor.requires_grad:
            return None
        mark = 2 * len(self.sent) + int(tensor.is_leaf)
        self.sent.append((mark, tensor))
        return mark

    def decoded(self, reply: dict, blob: bytes) -> Any:
        try:
            return Decoder(blob, self.students, self.linked).decode(reply.get("value"))
        except ProtocolError as error:
            raise Gone(f"it broke the protocol: {error}") from error
        except Exception as error:  # whatever else a value brings about is its author's fault
            raise Gone(f"it broke the protocol: {type(error).__name__}") from error

    def students(self, letter: str, content: Any) -> Any:
        """Make a proxy of a student's function, or a stand-in for what is no data."""
        if letter == "o" and isinstance(content, list) and len(content) == 2:
            return stand_in(*content)
        if letter != "f" or not isinstance(content, list) or len(content) != 4:
            raise ProtocolError("no value")
        handle, name, parameters, shown = content
        self.proxies += 1
        if type(handle) is not int or not isinstance(name, str) or self.proxies > MAX_FUNCTIONS:
            raise ProtocolError("no function")
        if not isinstance(shown, list) or len(shown) != 2:
            raise ProtocolError("no function")
        return proxy(self.call, handle, parameters, *shown)

    def linked(self, tensor: Tensor, mark: int) -> Tensor:
        """Tie a tensor from the worker to those sent before, so that gradients pass the wire."""
        if not self.sent:
            return tensor.requires_grad_()
        marks, sent = zip(*self.sent, strict=True)
        with torch.enable_grad():
            return Link.apply(self, mark, marks, tensor, *sent)


class Link(torch.autograd.Function):
    """The gradient of what the worker computed, asked for over the wire."""

    @staticmethod
    def forward(ctx: Any, remote: Remote, mark: int, marks: tuple, made: Tensor, *sent: Tensor):
        ctx.remote, ctx.mark, ctx.marks = remote, mark, marks
        ctx.shapes = [tensor.shape for tensor in sent]
        return made.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any):
        (grad,) = grads
        encoder = ctx.remote.encoder()
        message = {"do": "gradient", "of": ctx.mark, "for": list(ctx.marks)}
        message["grad"] = encoder.encode(grad.contiguous())
        reply, blob = ctx.remote.ask(message, encoder.blob)
        found = ctx.remote.decoded(reply, blob)
        if not isinstance(found, list) or len(found) != len(ctx.shapes):
            raise Gone("it broke the protocol")
        for tensor, shape in zip(found, ctx.shapes, strict=True):
            if tensor is not None and not (isinstance(tensor, Tensor) and tensor.shape == shape):
                raise Gone("it broke the protocol")
        return None, None, None, None, *found
