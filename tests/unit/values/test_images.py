"""Images of Pillow and figures of matplotlib."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from airflow_mlpipe.values import registry
from airflow_mlpipe.values.formats.images import Figures, Images


def _image(mode: str) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (5, 7, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(noise[:, :, 0].astype(np.uint16) * 250)
    return Image.fromarray(noise, "RGBA").convert(mode)


def _through(materializer, value, path):
    details = json.loads(json.dumps(materializer.save(value, path)))
    json.dumps(materializer.preview(value))
    return materializer.load(path, "PIL.Image", details)


def test_metadata_are_no_part_of_an_image(tmp_path):
    """Two images of the same pixels have the same bytes; transparency of a colour is kept."""
    text = PngImagePlugin.PngInfo()
    text.add_text("date", "today")
    buffer = io.BytesIO()
    _image("RGB").save(buffer, "PNG", pnginfo=text, dpi=(300, 300), icc_profile=b"profile")
    Images().save(Image.open(buffer), tmp_path / "1")
    Images().save(_image("RGB"), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("transparency", [3, bytes(range(256))])
def test_transparency_of_a_palette_is_kept(transparency, tmp_path):
    """Of an image that was made, and of one that was read."""
    image = _image("P")
    index = image.getpixel((0, 0))
    image.info["transparency"] = index if transparency == 3 else transparency
    made = _through(Images(), image, tmp_path / "1")
    assert made.convert("RGBA").getpixel((0, 0))[3] == (0 if transparency == 3 else index)
    read = _through(Images(), made, tmp_path / "2")
    assert read.convert("RGBA").tobytes() == made.convert("RGBA").tobytes()
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("mode", ["I", "F", "CMYK", "YCbCr", "HSV"])
def test_a_mode_that_png_lacks_is_refused(mode, tmp_path):
    """Rather than converted."""
    with pytest.raises(ValueError, match=f"mode {mode} is not kept"):
        Images().save(Image.new(mode, (2, 2)), tmp_path / "x")


def test_several_frames_are_refused(tmp_path):
    """PNG would keep the first."""
    frames = [Image.new("L", (2, 2), shade) for shade in (0, 200)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "x.gif") as image, pytest.raises(ValueError, match="2 frames"):
        Images().save(image, tmp_path / "x")


def test_other_bytes_are_refused(tmp_path):
    """Also an image of another format, and one that is cut."""
    jpeg, whole = io.BytesIO(), io.BytesIO()
    _image("RGB").save(jpeg, "JPEG")
    _image("RGB").save(whole, "PNG")
    for data in (b"", b"nonsense", jpeg.getvalue(), whole.getvalue()[:60]):
        (tmp_path / "x").write_bytes(data)
        for materializer in (Images(), Figures()):
            with pytest.raises(ValueError, match="no PNG"):
                materializer.load(tmp_path / "x", "PIL.Image", {})


def _figure():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1), dpi=50)
    axes = figure.subplots()
    axes.plot([1, 3, 2])
    axes.set_title("loss")
    return figure


def test_a_figure_is_drawn_the_same_whatever_the_settings(tmp_path):
    """It loads as an image of its own size; nothing tells the time or the version."""
    import matplotlib

    loaded = _through(Figures(), _figure(), tmp_path / "1")
    assert loaded.size == (100, 50)
    with matplotlib.rc_context({"savefig.dpi": 300, "savefig.bbox": "tight", "savefig.transparent": True}):
        Figures().save(_figure(), tmp_path / "2")
    data = (tmp_path / "1").read_bytes()
    assert data == (tmp_path / "2").read_bytes()
    assert b"tEXt" not in data
    assert Figures().preview(_figure())["titles"] == ["loss"]


def test_images_are_found_by_their_types():
    """Also those that a format of Pillow's opened."""
    assert type(registry.of_type(PngImagePlugin.PngImageFile)).__name__ == "Images"
    assert type(registry.of_type(type(_figure()))).__name__ == "Figures"
