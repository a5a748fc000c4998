"""Asking a judge: prompts and their readers, attempts, what was answered."""
