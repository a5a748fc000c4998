"""Losses of embedding models, one a file; each is a sentence-transformers loss.

graded             contrast with positives graded by the overlap of paths: ours, and the default
level_by_level     the published one, level by level; kept for comparison
infonce            texts against individual or theory anchors
weighted           a weighted sum of losses over one encoding of a batch
rows               what they all read: the labels of rows, by the row's number
"""
