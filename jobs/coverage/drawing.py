"""Shapes on a page, written as SVG with nothing but text, or as PNG where Pillow is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from lake.errors import UsageError

#: Pixels of a PNG for each unit of the page: it stays sharp on dense screens.
PNG_SCALE = 2
INK = "#222222"


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle; `title` shows when pointed at, `data` is kept for machines."""

    x: int
    y: int
    width: int
    height: int
    fill: str
    title: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diamond:
    """A filled diamond with a dark rim, by its centre and half its height."""

    x: int
    y: int
    reach: int
    fill: str


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text: `x` is its start, middle or end, `y` its foot."""

    x: int
    y: int
    text: str
    size: int = 11
    anchor: Literal["start", "middle", "end"] = "start"
    fill: str = INK


Shape = Box | Diamond | Words


@dataclass(frozen=True, slots=True)
class Page:
    """Shapes in the order of drawing, on white."""

    width: int
    height: int
    title: str
    shapes: Sequence[Shape]


def to_svg(page: Page) -> str:
    """Return the page as an SVG document."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {page.width} {page.height}"'
        f' width="{page.width}" height="{page.height}" role="img"'
        ' font-family="system-ui, Helvetica, Arial, sans-serif">'
    )
    title = f"<title>{escape(page.title)}</title>"
    ground = f'<rect width="{page.width}" height="{page.height}" fill="#ffffff"/>'
    return "\n".join([head, title, ground, *map(_element, page.shapes), "</svg>", ""])


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            data = "".join(f" data-{name}={quoteattr(text)}" for name, text in shape.data.items())
            place = f'x="{shape.x}" y="{shape.y}" width="{shape.width}" height="{shape.height}"'
            title = f"<title>{escape(shape.title)}</title></rect>"
            return f'<rect {place} fill="{shape.fill}"{data}' + (
                f">{title}" if shape.title else "/>"
            )
        case Diamond():
            corners = " ".join(f"{x},{y}" for x, y in _corners(shape))
            rim = f'stroke="{INK}" pointer-events="none"'
            return f'<polygon points="{corners}" fill="{shape.fill}" {rim}/>'
        case Words():
            return (
                f'<text x="{shape.x}" y="{shape.y}" font-size="{shape.size}"'
                f' text-anchor="{shape.anchor}" fill="{shape.fill}">{escape(shape.text)}</text>'
            )


def _corners(shape: Diamond) -> list[tuple[int, int]]:
    x, y, reach = shape.x, shape.y, shape.reach
    return [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]


def to_png(page: Page) -> bytes:
    """Return the page as a PNG.

    Raises:
        UsageError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only this needs Pillow
    except ImportError as error:
        raise UsageError(
            "a PNG needs Pillow, which is not installed",
            hint="Name a file that ends in .svg, or install candlelake[picture].",
        ) from error
    image = Image.new("RGB", (page.width * PNG_SCALE, page.height * PNG_SCALE), "white")
    pen = ImageDraw.Draw(image)
    for shape in page.shapes:
        match shape:
            case Box():
                ends = (shape.x + shape.width, shape.y + shape.height)
                left, top, right, foot = (n * PNG_SCALE for n in (shape.x, shape.y, *ends))
                pen.rectangle((left, top, right - 1, foot - 1), fill=shape.fill)
            case Diamond():
                corners = [(x * PNG_SCALE, y * PNG_SCALE) for x, y in _corners(shape)]
                pen.polygon(corners, fill=shape.fill, outline=INK)
            case Words():
                font = ImageFont.load_default(shape.size * PNG_SCALE)
                place = (shape.x * PNG_SCALE, shape.y * PNG_SCALE)
                anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
                pen.text(place, shape.text, fill=shape.fill, font=font, anchor=anchor)
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
