"""Images of Pillow and figures of matplotlib, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type

_END = b"IEND\xaeB`\x82"
"""The last bytes of every PNG file (RFC 2083); Pillow does without them."""

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""What PNG holds without loss; Pillow would write mode ``I`` with 16 bits of its 32."""


class Images:
    """``image/1``: the pixels of one image, without loss.

    Keeps mode, size, palette and transparency; drops the rest of Pillow's ``info`` (dates, EXIF, colour profiles).
    """

    format = "image/1"
    suffix = ".png"
    types: tuple[str, ...] = ("PIL.Image",)
    forms: tuple[str, ...] = ("PIL.Image",)

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write an image; no details.

        :raises ValueError: for several frames, and for a mode that PNG would not give back.
        """
        check_type(value, self.types)
        if getattr(value, "n_frames", 1) > 1:
            raise ValueError(f"an image of {value.n_frames} frames; save each frame")
        if value.mode not in _MODES:
            raise ValueError(f"mode {value.mode} is not kept by PNG; convert the image to one of {', '.join(_MODES)}")
        clean = _clean(value)
        buffer = io.BytesIO()
        try:
            clean.save(buffer, format="PNG", compress_level=6)
        except (OSError, SystemError) as error:
            raise ValueError(f"the image cannot be written as PNG: {error}") from error
        data = buffer.getvalue()
        if _pixels(_open(data)) != _pixels(clean):
            raise ValueError(f"this image of mode {value.mode} does not come back from PNG as it was")
        path.write_bytes(data)
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read an image, wholly.

        :raises ValueError: for bytes that are no PNG, or one of more pixels than Pillow takes for harmless.
        """
        check_form(form, self.forms)
        return _open(path.read_bytes())

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Mode and size."""
        return {"mode": value.mode, "width": value.width, "height": value.height}


class Figures:
    """``figure/1``: a figure as it looks, at its own size and resolution; it loads as an image."""

    format = "figure/1"
    suffix = ".png"
    types: tuple[str, ...] = ("matplotlib.Figure",)
    forms: tuple[str, ...] = ("PIL.Image",)

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Draw a figure; no details.

        :raises ValueError: when it cannot be drawn.
        """
        check_type(value, self.types)
        import matplotlib

        # Settings of the process that change what is written, but are not the figure's.
        settings: Any = {"savefig.bbox": None, "savefig.pad_inches": 0.1, "savefig.transparent": False}
        buffer = io.BytesIO()
        with matplotlib.rc_context(settings):
            value.savefig(
                buffer, format="png", dpi=value.dpi, facecolor="auto", edgecolor="auto", metadata={"Software": None}
            )
        path.write_bytes(buffer.getvalue())
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read the drawing, as an image of Pillow.

        :raises ValueError: as :meth:`Images.load`.
        """
        check_form(form, self.forms)
        return _open(path.read_bytes())

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Size in inches, and titles of the axes."""
        titles = [title for axes in value.axes if (title := axes.get_title())]
        return {"inches": [float(size) for size in value.get_size_inches()], "titles": titles[:20]}


def _clean(image: Any) -> Any:
    """A copy with pixels, palette and transparency alone."""
    copy = image.copy()
    copy.info = {name: value for name, value in copy.info.items() if name == "transparency"}
    if copy.mode == "P" and copy.info:
        # Pillow applies the transparency to the palette when that is set anew, and then shows what PNG will.
        copy.putpalette(copy.getpalette())
    return copy


def _open(data: bytes) -> Any:
    from PIL import Image

    if not data.endswith(_END):
        raise ValueError("no PNG image: its end is missing")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return _clean(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"no PNG image: {error}") from error


def _pixels(image: Any) -> tuple[Any, ...]:
    """What makes two images equal."""
    shown = image.convert("RGBA").tobytes() if image.mode != "I;16" else b""
    return image.mode, image.size, image.tobytes(), shown
