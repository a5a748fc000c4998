"""A build at work: its stages in their order, on one machine or with its values on many."""
