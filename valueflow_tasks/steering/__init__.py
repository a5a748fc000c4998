"""The tasks on values: one, a pair, five, children for their parent, responses made elsewhere."""
