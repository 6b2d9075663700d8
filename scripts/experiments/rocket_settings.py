"""What the claims about Rocket share."""

PLAYED = "align, player_to_ball_velocity, player_to_ball_distance"
"""The offensive potential's three components."""
