"""Panels of judges and reviewers: prompts, the rule of acceptance, agreement."""
