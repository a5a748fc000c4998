"""The tasks of lm-evaluation-harness: documents, aggregation, judging after generation."""
