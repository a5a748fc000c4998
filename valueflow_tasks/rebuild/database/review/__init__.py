"""What people decide: the queue, the local page, decisions, agreement."""
