"""What the claims about the key room share: the settings that their runs were made with."""

KEY_ROOM = (
    "env=minihack/key_room",
    "agent=ppo",
    "n_envs=8",
    "agent.n_steps=128",
    "agent.learning_rate=5e-4",
)
