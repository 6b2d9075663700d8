"""Entry points: train, evaluate, compare, and what they share. The only place that opens the configuration."""
