"""Sandboxes: where programs of an agent run, and nowhere else."""
