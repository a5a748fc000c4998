"""Builds embedding models (HiVES): corpus, training, evaluation."""
