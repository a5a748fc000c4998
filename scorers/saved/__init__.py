"""Scored responses and rankings read back from files."""
