"""Simulated models and judges of known truth, and the self-check that runs on them."""
