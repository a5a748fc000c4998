"""Assets made anew: the database of anchors."""
