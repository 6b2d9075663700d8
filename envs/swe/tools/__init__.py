"""The tool face: a discrete choice of tools and places, stepped in arrays over a table."""
