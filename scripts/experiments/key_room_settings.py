"""What the claims about the key room share."""

KEY_ROOM = ("env=minihack/key_room", "agent=ppo")
