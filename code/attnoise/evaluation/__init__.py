"""Metrics, classifiers, parsers and baselines: how results are measured, and what beside."""
