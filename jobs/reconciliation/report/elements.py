"""Parts of a page as HTML text: whatever is put into them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from unicodedata import category


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and how its cells are set.

    Attributes:
        style: empty, `count` for numbers, or `word` for what must not be broken.
    """

    heading: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Html:
    """What is HTML already, and is not escaped again."""

    text: str


Content = str | Html


def text(content: Content) -> str:
    """Return content as HTML: text is escaped."""
    return content.text if isinstance(content, Html) else escape(visible(content), quote=True)


def visible(told: str) -> str:
    """Return text in which no character is hidden or turns those around it about."""
    return "".join(
        one if one == "\n" or category(one)[0] != "C" else f"\\u{ord(one):04x}" for one in told
    )


def element(name: str, content: Content, style: str = "") -> str:
    """Return an element with a class."""
    named = f' class="{style}"' if style else ""
    return f"<{name}{named}>{text(content)}</{name}>"


def listed(items: Iterable[Content]) -> str:
    """Return a list."""
    return f"<ul>{''.join(element('li', item) for item in items)}</ul>"


def link(address: str, name: str) -> Html:
    """Return a link."""
    return Html(f'<a href="{escape(address, quote=True)}">{escape(name)}</a>')


def table(caption: str, columns: Sequence[Column], rows: Iterable[Iterable[Content]]) -> str:
    """Return a table; the first cell of each row is its heading.

    On a telephone the rows stand below one another and each cell says its column's heading; the
    roles keep the table one to whoever has it read aloud.
    """
    headings = "".join(
        f'<th scope="col" role="columnheader"{_of(one)}>{escape(one.heading)}</th>'
        for one in columns
    )
    body = "\n".join(_row(columns, row) for row in rows)
    return (
        f'<div class="wide"><table role="table"><caption>{escape(caption)}</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{headings}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}\n</tbody></table></div>'
    )


def _row(columns: Sequence[Column], cells: Iterable[Content]) -> str:
    first, *rest = cells
    parts = [f'<th scope="row" role="rowheader">{text(first)}</th>']
    for column, content in zip(columns[1:], rest, strict=True):
        told = text(content)
        style = _of(column, is_empty=not told)
        parts.append(
            f'<td role="cell" data-label="{escape(column.heading)}"{style}><span>{told}</span></td>'
        )
    return f'<tr role="row">{"".join(parts)}</tr>'


def _of(column: Column, *, is_empty: bool = False) -> str:
    names = [*([column.style] if column.style else []), *(["empty"] if is_empty else [])]
    return f' class="{" ".join(names)}"' if names else ""
