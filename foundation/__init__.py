"""What every other package stands on: names, argument checks, whole files. Knows nothing of learning."""
