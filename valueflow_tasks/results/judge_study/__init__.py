"""The report on judge-stability studies."""
