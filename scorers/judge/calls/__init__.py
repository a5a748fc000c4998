"""Calls of a judge: remembered, counted, and held to a budget."""
