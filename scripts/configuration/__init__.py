"""What can be configured, and how it is read from a command line."""
