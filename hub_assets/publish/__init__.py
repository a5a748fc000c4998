"""Databases to the Hub and back: package, card, checks, push, pull."""
