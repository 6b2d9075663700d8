"""What every other package stands on: names, checks, whole files. Knows nothing of learning."""
