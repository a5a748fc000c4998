"""What a reader wants of a run: cells, dose-response, pairs, squares, composites, comparisons."""
