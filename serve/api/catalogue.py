"""The series that are served: found by name, searched, told apart where a name is not enough."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from serve.api.errors import RefusedError, quoted
from serve.records import Series

#: Names that are compared with an unknown one: more would cost a stranger's typo too much.
MOST_COMPARED = 2000
NEAR = 3


class Catalogue:
    """Every series of one publication."""

    def __init__(self, series: Sequence[Series]) -> None:
        self.series = tuple(series)
        self.exchanges = tuple(sorted({one.exchange for one in series}))
        self._by_name: dict[tuple[str, str], list[Series]] = {}
        self._folded: dict[tuple[str, str], list[Series]] = {}
        for one in series:
            self._by_name.setdefault((one.exchange, one.instrument), []).append(one)
            folded = (one.exchange, one.instrument.casefold())
            self._folded.setdefault(folded, []).append(one)

    def find(
        self, exchange: str, name: str, *, kind: str | None = None, uid: str | None = None
    ) -> Series:
        """Return a series by the venue's name; of several listings of a name the newest.

        A name is taken byte for byte, and without regard to case where nothing has it so.

        Raises:
            RefusedError: 404 where nothing has the name, with near ones; 409 where the name
                exists in several kinds.
        """
        if exchange not in self.exchanges:
            raise self._no_exchange(exchange)
        exact = self._by_name.get((exchange, name), [])
        folded = self._folded.get((exchange, name.casefold()), [])
        for named in (exact, folded):
            found = [
                one
                for one in named
                if kind in (None, one.kind) and uid in (None, one.instrument_uid)
            ]
            if found:
                return self._only(found, name)
        raise self._unknown(exchange, name, kind, uid)

    def search(
        self, query: str, exchange: str | None = None, kind: str | None = None
    ) -> list[Series]:
        """Return the newest listing of each name that holds the query: exact, beginning, within."""
        wanted = query.casefold().strip()
        ranked = sorted(
            (_rank(one, wanted), one.exchange, one.kind, one.instrument, one)
            for one in self.newest()
            if exchange in (None, one.exchange)
            and kind in (None, one.kind)
            and wanted in one.instrument.casefold()
        )
        return [one for *_, one in ranked]

    def newest(self) -> Iterable[Series]:
        """Return the newest listing of each name of each kind."""
        held: dict[tuple[str, str, str], Series] = {}
        for one in self.series:
            name = (one.exchange, one.kind, one.instrument)
            if name not in held or _age(one) >= _age(held[name]):
                held[name] = one
        return held.values()

    def _only(self, found: Sequence[Series], name: str) -> Series:
        """Return the one that is meant: of one name and kind the newest listing."""
        meant = {(one.kind, one.instrument) for one in found}
        if len(meant) > 1:
            kinds = sorted({one.kind for one in found})
            if len(kinds) == 1:
                names = ", ".join(sorted(one.instrument for one in found))
                hint = f"Write it as the venue does: {names}."
            else:
                hint = f"Say which with &kind=: {', '.join(kinds)}."
            raise RefusedError(409, "ambiguous", f"'{quoted(name)}' is several series", hint=hint)
        return max(found, key=_age)

    def _no_exchange(self, exchange: str) -> RefusedError:
        known = ", ".join(self.exchanges) or "none yet: run ./spark-submit.sh publish"
        return RefusedError(
            404,
            "unknown_exchange",
            f"No exchange '{quoted(exchange)}' is served",
            hint=f"Served are {known}.",
        )

    def _unknown(self, exchange: str, name: str, kind: str | None, uid: str | None) -> RefusedError:
        what = f"{exchange} has no '{quoted(name)}'"
        if kind is not None:
            what += f" of kind '{quoted(kind)}'"
        if uid is not None:
            what += f" of uid '{quoted(uid)}'"
        near = self._near(exchange, name)
        hint = f"Near are: {', '.join(near)}." if near else "See /api/v1/instruments."
        return RefusedError(404, "unknown_ticker", what, hint=hint)

    def _near(self, exchange: str, name: str) -> list[str]:
        wanted = name.casefold()[:40]
        names = [folded for venue, folded in self._folded if venue == exchange]
        alike = [folded for folded in names if folded[:2] == wanted[:2]] or names
        near = difflib.get_close_matches(wanted, alike[:MOST_COMPARED], NEAR, cutoff=0.5)
        found = [one for folded in near for one in self._folded[exchange, folded]]
        return list(dict.fromkeys(f"{one.instrument} ({one.kind})" for one in found))


def _age(series: Series) -> int:
    return series.last_time or 0


def _rank(series: Series, wanted: str) -> int:
    name = series.instrument.casefold()
    return 0 if name == wanted else 1 if name.startswith(wanted) else 2
