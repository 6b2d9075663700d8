"""The text face: an agent that reads and writes words, and works on a repository by commands."""
