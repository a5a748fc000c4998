"""Placing texts in a theory's hierarchy by a panel of judges."""
