"""The last stages of a build: what looks odd goes to people, the rest into the database."""
