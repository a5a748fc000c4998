"""Plackett-Luce utilities of many texts, and their map to intensities."""
