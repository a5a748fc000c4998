"""Embedding models and their corpora as kinds of assets."""
