"""Tasks: where programs with a bug come from."""
