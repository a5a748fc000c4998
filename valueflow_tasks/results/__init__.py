"""What logs say: reading them, the report, the comparison of two runs."""
