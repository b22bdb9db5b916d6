"""Write a model so that a web page can run it: ONNX, checked against torch before it is kept."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .files import write_atomically

OPSET = 20  # the first with Gelu


def export_onnx(
    module: nn.Module,
    examples: Sequence[Tensor],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    tolerance: float = 1e-4,
) -> float:
    """Write a module as ONNX for inputs of these shapes, and return how far it is from torch.

    The file is written only if onnxruntime computes the same from it. Needs the packages onnx,
    onnxscript and onnxruntime, which only those who publish the book install.

    Args:
        module: Returns one tensor per name in `outputs`.
        examples: One tensor per input; their shapes are fixed in the file.
        path: Where the file goes.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        tolerance: Largest allowed difference of any output.

    Raises:
        CheckpointError: The file would not compute the same.
    """
    import onnxruntime

    module.eval()
    with TemporaryDirectory() as folder, torch.no_grad():
        written = Path(folder) / "model.onnx"
        torch.onnx.export(
            module, tuple(examples), str(written), input_names=list(inputs),
            output_names=list(outputs), opset_version=OPSET, dynamo=True, external_data=False,
            verbose=False,
        )  # fmt: skip
        content = written.read_bytes()
        expected = module(*examples)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {name: x.numpy() for name, x in zip(inputs, examples, strict=True)}
    found = session.run(list(outputs), feed)
    pairs = zip(expected, found, strict=True)
    worst = max((x - torch.from_numpy(y)).abs().max().item() for x, y in pairs)
    if not worst <= tolerance:
        raise CheckpointError(
            f"the ONNX file of {type(module).__name__} must equal torch to {tolerance}, but "
            f"differs by {worst:.2g}; nothing was written. Look for an operation that the export "
            "replaces."
        )
    write_atomically({path: content})
    return worst
