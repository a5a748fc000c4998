"""Survey answers: reading them, accuracy against groups."""
