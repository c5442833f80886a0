"""The style sheet and the icon: they are there, and asked for again only where they changed."""

from __future__ import annotations

from typing import Any


async def test_files(room: Any, browser: Any) -> None:
    made = await browser()
    for name, kind in (("style.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml")):
        first = await made.get(f"/ui/static/{name}")
        assert (first.status, first.headers["Content-Type"], first.headers["Cache-Control"]) == (200, kind, "no-cache")
        again = await made.get(f"/ui/static/{name}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.text) == (304, "")


async def test_no_other_file(room: Any, browser: Any) -> None:
    made = await browser()
    for name in ("base.html", "..%2ftemplates%2fbase.html", "%2e%2e/views.py", "style.css%00", ""):
        assert (await made.get(f"/ui/static/{name}")).status in (303, 404)


async def test_colours_have_a_contrast_that_can_be_read() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, of each colour of text on both grounds."""
    import pathlib
    import re

    from healer.web.ui import statics

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        high, low = sorted((light(one), light(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    text = (pathlib.Path(statics.__file__).with_name("static") / "style.css").read_text()
    for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for name in ("text", "faint", "link", "bad", "warn", "good"):
            for ground in ("ground", "raised"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
        assert contrast(colours["on-bad"], colours["bad"]) >= 4.5
        assert contrast(colours["focus"], colours["ground"]) >= 3
