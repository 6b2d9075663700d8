"""What came of runs: evaluation, comparison, tables, pictures."""
