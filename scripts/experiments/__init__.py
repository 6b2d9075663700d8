"""The claims of the docs, one file a claim, and how they are run again."""
