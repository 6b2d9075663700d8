"""One run: built from its configuration, trained, checkpointed, gone on with, kept in its folder."""
