"""Counts the requests that the replay exchange was sent, so that a test can assert on them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

KEPT = 10_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request: where it went, its query string as sent, the status of its answer."""

    segment: str
    path: str
    query: str
    status: int
    fault: str | None


class RequestLog:
    """Exact counts of all requests, and the last 10,000 in full; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: deque[LoggedRequest] = deque(maxlen=KEPT)

    def add(self, request: LoggedRequest) -> None:
        """Count one request."""
        with self._lock:
            self._counts[request.segment, request.path] += 1
            self._last.append(request)

    def clear(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._counts.clear()
            self._last.clear()

    def count(self, segment: str = "*", path: str = "*") -> int:
        """Return how many requests went to matching paths (patterns as in a shell)."""
        with self._lock:
            return sum(
                times
                for (of_segment, of_path), times in self._counts.items()
                if fnmatchcase(of_segment, segment) and fnmatchcase(of_path, path)
            )

    def last(self) -> list[LoggedRequest]:
        """Return the last requests, oldest first."""
        with self._lock:
            return list(self._last)

    def document(self) -> dict[str, object]:
        """Return counts by path and the last requests, as JSON."""
        last = [asdict(request) for request in self.last()]
        with self._lock:
            by_path = {f"{s}{p}": times for (s, p), times in sorted(self._counts.items())}
        return {"total": sum(by_path.values()), "by_path": by_path, "last": last}
