"""Several values at once: pairs, squares of five, values by their children."""
