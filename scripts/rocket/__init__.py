"""Rocket players against each other, matches as pictures, and what a reward says of them."""
