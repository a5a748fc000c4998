"""Survey questions, group profiles and relevance tables."""
