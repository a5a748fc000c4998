"""Studies of survey runs: from logs to rows, figures, tables and methods."""
