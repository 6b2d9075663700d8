"""Reads what W&B wrote offline: LevelDB's log format over protocol buffers."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

HEADER, BLOCK = 7, 2**15  # bytes


def records(path: Path) -> list[Any]:
    """All records of a .wandb file; the last may be cut off by a kill."""
    data, at, found, pieces = path.read_bytes(), HEADER, [], b""
    while at + HEADER <= len(data):
        room = BLOCK - at % BLOCK
        if room < HEADER:
            at += room
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        if kind == 0:
            break
        pieces += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # whole, or its last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pieces)
            found.append(record)
            pieces = b""
    return found


def history(path: Path) -> list[dict[str, Any]]:
    """The rows that were logged."""
    rows = [record.history.item for record in records(path) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row} for row in rows]


def run_ids(path: Path) -> set[str]:
    """The ids of the runs that it is of: one."""
    return {record.run.run_id for record in records(path) if record.WhichOneof("record_type") == "run"}
