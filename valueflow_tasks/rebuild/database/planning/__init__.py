"""What a build will take: its calls and tokens, and a first recipe."""
