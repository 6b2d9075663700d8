"""A response cache on disk: one SQLite file for all runs of a user, safe for many processes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    asked REAL NOT NULL
) WITHOUT ROWID"""


def default_path() -> Path:
    """Where answers lie unless a run says otherwise: the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "breadcrumb" / "answers.sqlite"


class ResponseCache:
    """Answers by model, prompt version and question.

    The file is opened at the first use. Values are JSON, read with a JSON parser and nothing else.
    A file that is no database is moved aside, and a disk that cannot be written costs the saving,
    never the answer.

    Args:
        path: the SQLite file; its folder is made. None: `default_path`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else default_path()
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._said = False

    @staticmethod
    def key(model: str, version: str, question: Any) -> str:
        """The key of a question: any change of model, prompt version or text is another."""
        text = json.dumps([model, version, question], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, model: str, version: str, question: Any) -> Any | None:
        """The answer, or None where there is none."""
        with self._lock:
            try:
                rows = self._open().execute(
                    "SELECT answer FROM answers WHERE key = ?", (self.key(model, version, question),)
                )
                row = rows.fetchone()
                return None if row is None else json.loads(row[0])
            except (sqlite3.Error, OSError, ValueError) as error:
                self._say(error)
                return None

    def put(self, model: str, version: str, question: Any, answer: Any) -> None:
        """Keep an answer (anything that JSON can hold)."""
        row = (
            self.key(model, version, question),
            model,
            version,
            json.dumps(question, ensure_ascii=True),
            json.dumps(answer, ensure_ascii=True, allow_nan=False),
            time.time(),
        )
        with self._lock:
            try:
                database = self._open()
                with database:
                    database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
            except (sqlite3.Error, OSError) as error:
                self._say(error)

    def __iter__(self) -> Iterator[tuple[str, str, Any, Any]]:
        """(model, version, question, answer) of everything in it, oldest first."""
        with self._lock:
            rows = (
                self._open().execute("SELECT model, version, question, answer FROM answers ORDER BY asked").fetchall()
            )
        for model, version, question, answer in rows:
            yield model, version, json.loads(question), json.loads(answer)

    def __len__(self) -> int:
        with self._lock:
            return int(self._open().execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_other_files()
            database = sqlite3.connect(self.path, timeout=10.0, check_same_thread=False)
            try:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                with database:
                    database.execute(_TABLE)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _refuse_other_files(self) -> None:
        """A file that SQLite cannot read is kept under another name."""
        if not self.path.is_file() or self.path.stat().st_size == 0:
            return
        try:
            with closing(sqlite3.connect(self.path, timeout=10.0)) as database:
                database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:
            raise  # locked, or the disk: not the file's fault
        except sqlite3.DatabaseError as error:
            aside = self.path.with_name(f"{self.path.name}.unreadable-{os.getpid()}")
            os.replace(self.path, aside)
            log.warning("%s is no database (%s); it was moved to %s and a new one begun", self.path, error, aside)

    def _say(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            log.warning("the cache of the language model's answers, %s, cannot be used: %s", self.path, error)
