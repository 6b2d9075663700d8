"""Grading: what a tree is worth, whatever the program in it does."""
