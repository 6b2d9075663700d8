"""What the claims share in which a language model is asked."""

OWN_ANSWERS = "llm.cache=${run_dir}/answers.sqlite"
"""Every run begins with an empty cache."""
