"""Questions to a judge, one a file: the wording and the reader of its answers."""
