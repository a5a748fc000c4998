"""The catalogue: theories, values, hierarchies, groups, defaults and assets."""
