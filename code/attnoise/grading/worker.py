"""In the sandbox: runs a submission's cells, and calls its functions when the examiner asks.

This code shares a process with the student's. It decides nothing: it runs what it is told and
sends back what came out. A student who takes it over can say what any answer could have said.
"""

import builtins
import inspect
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from .channel import Channel
from .wire import Decoder, Encoder, ProtocolError, clean

MISSING = object()
TEXT = 2000  # characters of a message or description that travel
KINDS = {kind.name: kind for kind in inspect._ParameterKind}


class Raised(Exception):
    """What the examiner's own function raised when the student's code called it."""

    def __init__(self, token: int, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.token = token


def make_shell() -> Any:
    """Return IPython's shell as a notebook has it, without a screen."""
    import matplotlib

    matplotlib.use("agg")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config({"HistoryManager": {"enabled": False}})
    shell: Any = InteractiveShell.instance(config=config)
    nothing = lambda *arguments, **options: None  # noqa: E731
    shell.enable_gui = shell.enable_matplotlib = nothing
    shell.showtraceback = shell.showsyntaxerror = shell.showindentationerror = nothing
    shell._tee = lambda channel: nullcontext()  # it would keep all that is printed
    shell.register_magic_function(nothing, "line", "matplotlib")
    return shell


def run_cell(shell: Any, source: str) -> BaseException | None:
    """Run a cell as a notebook does, and return what it raised."""
    result = shell.run_cell(source, store_history=False)
    if plots := sys.modules.get("matplotlib.pyplot"):  # a notebook closes them, too
        plots.close("all")
    return result.error_before_exec or result.error_in_exec


class Worker:
    """Answers the examiner's requests about one submission.

    Args:
        channel: The wire to the examiner.
        shell: IPython's shell, in which the chapter's cells have run.
    """

    def __init__(self, channel: Channel, shell: Any) -> None:
        self.channel, self.shell = channel, shell
        self.functions: list[Callable] = []
        self.asked: dict[str, Any] = {}
        self.new: list[str] = []
        self.leaves: dict[int, Tensor] = {}
        self.made: list[Tensor] = []

    def take_over(self, checks: Any) -> None:
        """Let each check of a chapter note what it is given instead of checking it."""
        from attnoise.exercises import Verdict, exercises_of

        def noting(name: str) -> Callable[[Any], Any]:
            def check(answer: Any = MISSING) -> Any:
                self.asked[name] = answer
                self.new.append(name)
                return Verdict(True, "This answer is checked after the cell.")

            return check

        for exercise in exercises_of(checks):
            setattr(checks, exercise.name, noting(exercise.name))

    def serve(self, until_return: bool = False) -> tuple[dict, bytes]:
        """Answer requests until the examiner is gone, or until it returns from a callback."""
        while True:
            message, blob = self.channel.receive()
            do = message["do"]
            if do in ("return", "raise") and until_return:
                return message, blob
            work = {
                "cell": self.cell,
                "answer": self.answer,
                "call": self.call,
                "gradient": self.gradient,
            }
            work[do](message, blob)

    def cell(self, message: dict, blob: bytes) -> None:
        self.new = []
        error = run_cell(self.shell, message["source"])
        self.channel.send({"is": "ran", "error": error and described(error), "asked": self.new})

    def answer(self, message: dict, blob: bytes) -> None:
        """Send what a check was given last, or else what stands under a name."""
        value = MISSING
        if "check" in message:
            value = self.asked.get(message["check"], MISSING)
        elif "name" in message:
            value = self.shell.user_ns.get(message["name"], MISSING)
        self.reply("missing" if value is MISSING else "value", value=value)

    def call(self, message: dict, blob: bytes) -> None:
        """Call one of the student's functions."""
        arguments = [self.decoded(x, blob) for x in message["args"]]
        options = {k: self.decoded(x, blob) for k, x in message["options"].items()}
        before = [fingerprint(x) for x in arguments]
        try:
            with torch.set_grad_enabled(True):
                value = self.functions[message["function"]](*arguments, **options)
        except Exception as error:
            self.channel.send({"is": "raised", **described(error)})
            return
        except BaseException as error:  # SystemExit and its kin end a cell, not the notebook
            self.channel.send({"is": "raised", **described(error)})
            return
        changed = [
            [i, x]
            for i, (x, old) in enumerate(zip(arguments, before, strict=True))
            if old is not None and fingerprint(x) != old
        ]
        self.reply("value", value=value, changed=changed)

    def callback(self, number: int, arguments: tuple, options: dict) -> Any:
        """Ask the examiner to call one of its own functions."""
        self.reply(
            "callback",
            value=[list(arguments), dict(options)],
            id=number,
            grad=torch.is_grad_enabled(),
        )
        message, blob = self.serve(until_return=True)
        if message["do"] == "raise":
            raise Raised(message["token"], message["type"], message["text"])
        return self.decoded(message["value"], blob)

    def gradient(self, message: dict, blob: bytes) -> None:
        """Send the gradients of a tensor that was sent, by tensors that came."""
        leaves = [self.leaves[mark] for mark in message["for"]]
        grad = self.decoded(message["grad"], blob)
        made = self.made[message["of"]]
        try:
            value = torch.autograd.grad(made, leaves, grad, retain_graph=True, allow_unused=True)
        except Exception as error:
            self.channel.send({"is": "raised", **described(error)})
            return
        self.reply("value", value=list(value))

    def reply(self, kind: str, value: Any = None, changed: Any = (), **more: Any) -> None:
        """Send a value; if it cannot be sent, say so instead."""
        encoder = Encoder(self.special, self.mark)
        message = {"is": kind, **more}
        if value is not MISSING:
            message["value"] = encoder.encode(value)
        message["changed"] = [[i, encoder.encode(x)] for i, x in changed]
        try:
            self.channel.send(message, encoder.blob)
        except ProtocolError:
            text = f"the result is too large to be sent: {described_type(value)}"
            self.channel.send({"is": "raised", "type": "ValueError", "text": text, "token": None})

    def special(self, value: Any) -> dict:
        """Write a function, or anything that is no data, as the examiner may know it."""
        if not callable(value):
            return {"o": [described_type(value), text_of(repr, value)]}
        self.functions.append(value)
        name = getattr(value, "__name__", described_type(value))
        shown = [described_type(value), text_of(repr, value)]
        return {"f": [len(self.functions) - 1, text_of(str, name), signature(value), shown]}

    def mark(self, tensor: Tensor) -> int | None:
        if not tensor.requires_grad:
            return None
        self.made.append(tensor)
        return len(self.made) - 1

    def decoded(self, value: Any, blob: bytes) -> Any:
        return Decoder(blob, self.examiners, self.leaf).decode(value)

    def examiners(self, letter: str, content: Any) -> Callable:
        """Return a function that calls one of the examiner's."""
        if letter != "b":
            raise ProtocolError(letter)
        return lambda *arguments, **options: self.callback(content, arguments, options)

    def leaf(self, tensor: Tensor, mark: int) -> Tensor:
        """Return a tensor whose gradient is asked for; even marks are no leaves there."""
        self.leaves[mark] = tensor.requires_grad_()
        return tensor if mark % 2 else tensor.clone()


def fingerprint(value: Any) -> Any:
    """Return what tells whether a tensor or a list was changed in place; None for all else."""
    if isinstance(value, Tensor):
        return value.detach().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()
    if isinstance(value, list | dict):
        return repr(value)
    return None


def described(error: BaseException) -> dict:
    """Write an error: its type, its text, and its token if it is the examiner's own."""
    token = getattr(error, "token", None) if isinstance(error, Raised) else None
    return {"type": described_type(error), "text": text_of(str, error), "token": token}


def described_type(value: Any) -> str:
    """Return the name of a thing's type."""
    return text_of(str, type(value).__name__)


def text_of(how: Callable[[Any], str], value: Any) -> str:
    """Return str or repr of anything, short and fit to be sent."""
    try:
        return clean(builtins.str(how(value))[:TEXT])
    except Exception as error:
        return f"<{type(error).__name__}>"


def signature(function: Callable) -> list | None:
    """List a function's parameters: name, kind, whether it has a default. None if unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, p.kind.name, p.default is not p.empty] for p in parameters]
