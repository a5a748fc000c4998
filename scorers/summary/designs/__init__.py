"""Figures of studies with several targets: pairs, squares, composites."""
