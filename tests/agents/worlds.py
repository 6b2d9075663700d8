"""What small worlds for agents have in common."""

from __future__ import annotations

from typing import Any

import gymnasium


class Counted(gymnasium.Env[Any, Any]):
    """Counts its steps; what it shows is a subclass's `_observe`."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(), {}

    def _observe(self) -> Any:
        raise NotImplementedError
