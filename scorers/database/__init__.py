"""What the numbers of a database of anchors come from: panels of judges, and rankings."""
