"""Messages in the play of a trained run: sent, received, and looked at."""
