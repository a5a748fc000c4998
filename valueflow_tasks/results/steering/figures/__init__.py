"""Figures of steering runs: by value, by model, of several values, of the judge."""
