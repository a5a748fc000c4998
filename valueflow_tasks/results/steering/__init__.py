"""Studies of steering runs: from logs to rows, figures, tables and methods."""
