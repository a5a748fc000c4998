"""Commands that build, review, package, push and pull assets."""
