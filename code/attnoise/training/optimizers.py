"""The two optimisers of the book: AdamW with decay on matrices alone, and Muon for hidden ones."""

import math
from collections import defaultdict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..checks import check_counts
from ..errors import ConfigError, ShapeError, choose

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(
    matrix: Float[Tensor, "rows columns"], steps: int = 5
) -> Float[Tensor, "rows columns"]:
    """Push all singular values of a matrix towards 1, without computing them.

    X <- a X + (b A + c A A) X, A = X X^T, five times

    The three numbers are tuned for speed: after five rounds every value above about 0.2 % of the
    Frobenius norm lies between 0.68 and 1.21, not at 1. Smaller ones grow some hundredfold, and can
    stay far below: of a Gaussian 512 x 512 matrix, about one in fifty.

    Args:
        matrix: Any real matrix; float32 throughout (torch.optim.Muon casts to bfloat16, which
            most CPUs compute very slowly).
        steps: Iterations.

    Raises:
        ShapeError: It is no matrix.
        ConfigError: steps is below 0.

    Source: Jordan et al. 2024, Muon: https://kellerjordan.github.io/posts/muon/.
    """
    if matrix.ndim != 2 or not matrix.is_floating_point():
        raise ShapeError(
            f"matrix must have shape (rows, columns) and a floating-point dtype, but it has "
            f"{tuple(matrix.shape)} and {matrix.dtype}."
        )
    check_counts(steps=steps)
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)  # no singular value above 1
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def orthogonalise_stack(
    matrices: Float[Tensor, "m rows columns"], steps: int = 5
) -> Float[Tensor, "m rows columns"]:
    """Orthogonalise many matrices of one shape at once: the fast twin of `orthogonalise`.

    X_k = Q_k X_0, Q <- P Q, A <- P A P, P = a + b A + c A A

    The polynomials of one small matrix, A = X_0 X_0^T, all commute, so the iteration runs on it
    alone, and a wide matrix is multiplied once, at the end. A square one gains nothing by that, so
    it takes the place of Q itself.

    Args:
        matrices: A stack; each is treated by itself.
        steps: Iterations.

    Source: the same polynomials as `orthogonalise`, multiplied out.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    square = x.shape[1] == x.shape[2]
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    gram, product = x @ x.mT, x  # m r r
    for step in range(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        product = factor @ product if square or step else factor
        if step < steps - 1:
            gram = product @ product.mT if square else factor @ gram @ factor
    x = product if square else product @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is an orthogonal matrix, for the hidden matrices of a network.

    B <- mu B + (1 - mu) G; O = orthogonalise((1 - mu) G + mu B)
    W <- W - lr (0.2 sqrt(max(rows, columns)) O + decay W)

    The factor gives the step the size of one of AdamW's, so that both share a learning rate.
    Matrices of one shape are orthogonalised together.

    Args:
        params: Matrices; everything else belongs to AdamW.
        lr: Learning rate.
        momentum: mu, Nesterov's.
        weight_decay: Pulls the weights towards zero, apart from the gradient.

    Raises:
        ConfigError: A parameter is no matrix, a number is negative or not finite, or momentum
            not below 1.

    Source: Jordan et al. 2024; the factor: Liu et al. 2025, section 2.2, arXiv:2502.16982.
    """

    def __init__(
        self, params, lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        params = list(params)
        for parameter in params:
            if parameter.ndim != 2:
                raise ConfigError(
                    f"params must be matrices for Muon, but one has the shape "
                    f"{tuple(parameter.shape)}; leave vectors and embeddings to AdamW."
                )
        _check_rates(lr=lr, weight_decay=weight_decay)
        if not 0 <= momentum < 1:
            raise ConfigError(f"momentum must lie in [0, 1), but it is {momentum}; 0.95 is usual.")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step."""
        for group in self.param_groups:
            shapes = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes[weight.shape, weight.device, weight.dtype].append(weight)
            for weights in shapes.values():
                self._step_together(weights, **{k: v for k, v in group.items() if k != "params"})

    def _step_together(
        self, weights: list[Tensor], lr: float, momentum: float, weight_decay: float, **_
    ) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        buffers = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, buffers, momentum)
        updates = orthogonalise_stack(torch.stack(ahead)).unbind()
        if weight_decay:
            torch._foreach_mul_(weights, 1 - lr * weight_decay)
        scale = 0.2 * max(weights[0].shape) ** 0.5
        torch._foreach_add_(weights, updates, alpha=-lr * scale)


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0 <= rate < math.inf:
            raise ConfigError(f"{name} must be finite and at least 0, but it is {rate}.")


def make_optimizers(
    model: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    optimizer: str = "adamw",
    *,
    whole: bool = True,
) -> list[torch.optim.Optimizer]:
    """Make the optimisers of a model; each step steps them all.

    Args:
        model: Its trainable parameters are taken.
        lr: Learning rate of all of them.
        weight_decay: On matrices alone; biases, gains and norms stay as they are.
        optimizer: "adamw" for all, or "muon": the matrices inside `blocks` go to Muon, the rest
            (embeddings, head, vectors) to AdamW.
        whole: False where parameters are sharded over processes.

    Raises:
        ConfigError: The optimizer is unknown, a number out of range, or the model has no blocks to
            give to Muon, or no whole ones.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101; the two groups: karpathy/nanoGPT, model.py.
    """
    choose("optimizer", optimizer, {"adamw": 1, "muon": 2})
    _check_rates(lr=lr, weight_decay=weight_decay)
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    hidden = [p for n, p in named if optimizer == "muon" and p.ndim == 2 and "blocks" in n]
    if optimizer == "muon" and not hidden:
        raise ConfigError(
            "optimizer 'muon' needs a model whose hidden matrices lie in `blocks`, but "
            f"{type(model).__name__} has none there; use 'adamw'."
        )
    if optimizer == "muon" and not whole:
        raise ConfigError(
            "optimizer 'muon' needs whole matrices, but shard = True splits them; use 'adamw', or "
            "let every process hold all weights (shard = False)."
        )
    taken = {id(p) for p in hidden}
    rest = [p for _, p in named if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True)
    return [adamw, Muon(hidden, lr=lr, weight_decay=weight_decay)] if hidden else [adamw]
