"""What the claims about software-engineering tasks have in common."""

LEARNER = (
    "agent=maskable_ppo",
    "n_envs=8",
    "agent.n_steps=256",
    "agent.batch_size=512",
    "agent.n_epochs=6",
    "agent.learning_rate=1e-3",
    "agent.ent_coef=0.01",
    "agent.gamma=1",
    "agent.gae_lambda=0.95",
    "agent.net_arch=[64,64]",
    "torch_threads=1",
    "evaluate_episodes=200",
)
TASKS = ("env=swe/tools", *LEARNER)
CRITICS = ("shaping=channels", "shaping.terms.channels.names=[format,action,progress]")
"""Two critics of every turn and one of steps towards a fix, as low as the gate's low level."""
