"""One run: built of its configuration, trained, checkpointed, kept in its folder, gone on with."""
