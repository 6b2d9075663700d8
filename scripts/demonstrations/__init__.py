"""Demonstrations: played here, or read from files of others."""
