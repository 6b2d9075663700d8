"""One batch, several cores: forward and backward passes in shards of the batch, a thread each.

The networks of this project are too small for torch's own threads, which split single operations:
two of them make a training step hardly faster. Whole passes over half a batch each do not wait for
one another. Values and gradients are those of the undivided batch up to rounding, in a fixed order,
so a run repeats itself; SB3's algorithms see an ordinary module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

Entries = dict[str, Tensor]
Codes = tuple[Tensor, ...]
MIN_SHARD = 48  # rows; below this a thread costs more than it saves (measured on two cores)


class Threads:
    """Calls a function several times at once.

    Args:
        count: of threads, the caller's among them.

    Raises:
        ValueError: for less than one.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"threads is {count}; it takes at least one to compute anything")
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[..., Any], *items: Sequence[Any]) -> list[Any]:
        """`function` on every item, the first in this thread, the others beside it."""
        if self._pool is None and self.count > 1:
            # OpenMP's thread count belongs to the calling thread: each helper computes with one.
            self._pool = ThreadPoolExecutor(self.count - 1, "shard", initializer=torch.set_num_threads, initargs=(1,))
        calls = list(zip(*items, strict=True))
        others = [] if self._pool is None else [self._pool.submit(function, *arguments) for arguments in calls[1:]]
        first = function(*calls[0])
        return [first, *[other.result() for other in others]]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # threads are not copied or saved; they start again when needed


class Shards:
    """Runs `function(entries) -> codes` over shards of a batch.

    Args:
        module: owns the parameters that `function` uses.
        function: the pass over one shard, a dictionary of tensors with the batch first; gives one
            tensor an entry, batch first. Entries may have different numbers of rows.
        threads: how many shards at most; 1 leaves everything to the caller's thread.

    Raises:
        ValueError: for less than one thread.
    """

    def __init__(self, module: nn.Module, function: Callable[[Entries], Codes], threads: int) -> None:
        self.threads = Threads(threads)
        self._module, self._function = module, function

    def __call__(self, entries: Entries) -> Codes:
        rows = max(len(entry) for entry in entries.values())
        shards = min(self.threads.count, rows // MIN_SHARD)
        on_cpu = next(iter(entries.values())).device.type == "cpu"
        if shards < 2 or not on_cpu or not torch.is_grad_enabled():
            return self._function(entries)
        parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        result: Codes = _Sharded.apply(self, shards, entries, *parameters)
        return result


class _Sharded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shards: Shards, count: int, entries: Entries, *parameters: Tensor) -> Codes:
        def run(part: Entries) -> Codes:
            with torch.enable_grad():
                return shards._function(part)

        chunks = {key: entry.tensor_split(count) for key, entry in entries.items()}
        parts = [{key: chunk[index] for key, chunk in chunks.items()} for index in range(count)]
        ctx.outputs = shards.threads.map(run, parts)
        ctx.shards, ctx.parameters = shards, parameters
        return tuple(torch.cat([code.detach() for code in same]) for same in zip(*ctx.outputs, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        def run(codes: Codes, parts: list[Tensor]) -> tuple[Tensor | None, ...]:
            learned = [(code, part) for code, part in zip(codes, parts, strict=True) if code.requires_grad]
            outputs, given = zip(*learned, strict=True)
            return torch.autograd.grad(outputs, ctx.parameters, given, allow_unused=True)

        lengths = [[len(code) for code in same] for same in zip(*ctx.outputs, strict=True)]
        splits = [gradient.split(length) for gradient, length in zip(gradients, lengths, strict=True)]
        by_shard = ctx.shards.threads.map(run, ctx.outputs, [list(parts) for parts in zip(*splits, strict=True)])
        totals: list[Tensor | None] = []
        for same in zip(*by_shard, strict=True):
            known = [part for part in same if part is not None]
            totals.append(
                torch.stack(known).sum(0) if len(known) > 2 else sum(known[1:], start=known[0]) if known else None
            )
        return (None, None, None, *totals)
