"""A source of the project's own."""
