"""The training loop, optimisers, averages of weights, and checkpoints."""
