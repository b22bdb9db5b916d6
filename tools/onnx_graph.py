"""Write a model so that a web page can run it: ONNX, checked against torch before it is kept."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from attnoise.errors import CheckpointError
from attnoise.training.files import write_atomically

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

    The file is written only if onnxruntime computes the same from it. Weights that fit into 16 bits
    are stored so. Needs the packages onnx, onnxscript and onnxruntime, which only those who publish
    the book install.

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
        content = with_small_weights(written.read_bytes())
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


def with_small_weights(content: bytes, least: int = 100) -> bytes:
    """Store weights in 16 bits where that loses nothing, as in shipped checkpoints: half the file.

    A Cast makes them 32 bits again, once, when the file is loaded.

    Args:
        content: An ONNX file.
        least: Weights with fewer numbers stay as they are.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(content)
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < least or np.abs(values).max() > 65_504:
            continue
        small = values.astype(np.float16)
        if (small == values).all():
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(small, f"{name}.half"))
            casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()
