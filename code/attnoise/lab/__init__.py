"""What experiments share: training, metrics, checkpoints, plots and moving figures."""
