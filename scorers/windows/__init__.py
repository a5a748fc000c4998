"""Which anchors are shown beside a response: drawn, adaptive, planned."""
