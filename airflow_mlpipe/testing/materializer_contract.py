"""What every materializer must do, as tests: MaterializerContract.

Inherit from it in a test module, name the materializer as its entry point does, and give values to try it with, each by
a function that makes it anew::

    class TestRecordings(MaterializerContract):
        materializer = "recordings.materializer:Recordings"
        values = {"two channels": lambda: Recording([[1, 2], [3, 4]]), "empty": lambda: Recording([])}

        def equal(self, value, loaded):
            return value.samples == loaded.samples

Needs pytest.  Some tests import the module again in another process, by its file: what ``values`` need is imported in
it, and not made by fixtures.

Values that can be consumed only once (readers, generators) are not for this suite; give their pieces by ``batches``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

from airflow_mlpipe.testing.damage import DAMAGES, carriers
from airflow_mlpipe.testing.elsewhere import ask, content
from airflow_mlpipe.values.materializer import DETAILS, PREVIEW, Materializer, Streams, own_form
from airflow_mlpipe.values.names import type_names

_TEXT = 1000
"""Characters of one text in a preview or in details: what is longer is data."""


class _Stranger:
    """Of a type that no materializer knows."""


class MaterializerContract:
    """The executable form of :class:`airflow_mlpipe.values.materializer.Materializer`."""

    materializer: ClassVar[str]
    """``module:Class``, the value of the entry point."""

    values: ClassVar[Mapping[str, Callable[[], Any]]]
    """By a name for the reader: makes the value.  One is called ``empty``: no rows, no members, no bytes."""

    has_empty: ClassVar[bool] = True
    """Whether there is such a thing as an empty value."""

    libraries: ClassVar[tuple[str, ...]] = ()
    """Top-level packages that importing the materializer's module must not import, besides those of its types."""

    cannot_tell: ClassVar[frozenset[str]] = frozenset()
    """Which of :data:`~airflow_mlpipe.testing.damage.DAMAGES` give a file that is as good as any other.

    A format without a checksum, a length or an end mark cannot tell some; the digest of its content does.
    """

    def batches(self) -> list[Any]:
        """Of a materializer that has ``save_stream``: some batches of one kind."""
        return []

    def equal(self, value: Any, loaded: Any) -> bool:
        """Whether a value came back: of the same type, and equal."""
        return type(value) is type(loaded) and bool(value == loaded)

    def unchanged(self, value: Any, anew: Any) -> bool:
        """Whether a value that was saved is as one that was not; to be overridden where a value loads as another."""
        return self.equal(anew, value)

    # ---- the fixtures --------------------------------------------------------------------------------------------

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each value, form, damage and carrier."""
        if "make" in metafunc.fixturenames:
            metafunc.parametrize("make", list(self.values.values()), ids=list(self.values))
        if "form" in metafunc.fixturenames:
            metafunc.parametrize("form", _made(self.materializer).forms)

    @pytest.fixture
    def it(self) -> Materializer:
        """The materializer, made as the package makes it."""
        return _made(self.materializer)

    @pytest.fixture(scope="class")
    @classmethod
    def elsewhere(cls, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
        """What another process sees, with other hashes: saves all values, and loads those of this one."""
        folder = tmp_path_factory.mktemp("elsewhere")
        it = _made(cls.materializer)
        saved = [it.save(make(), folder / f"{number}{it.suffix}") for number, make in enumerate(cls.values.values())]
        own = {"builtins", *sys.stdlib_module_names, re.split("[.:]", cls.materializer)[0]}
        packages = {name.partition(".")[0] for name in (*it.types, *it.forms)} - own
        request = {
            "home": cls.materializer,
            "libraries": sorted({*cls.libraries, *packages}),
            "file": inspect.getfile(cls),
            "module": cls.__module__,
            "suite": cls.__qualname__,
            "saved": saved,
        }
        return ask(request, folder, seed="2" if os.environ.get("PYTHONHASHSEED") == "1" else "1")

    # ---- what it says of itself ----------------------------------------------------------------------------------

    def test_its_members_are_what_they_are_for(self, it: Materializer) -> None:
        """Format with a version, suffix with its dot, names of types and forms with their package."""
        assert re.fullmatch(r"[\w.-]+/\d+", it.format), f"format is {it.format!r}; write it as 'recording/1'"
        assert it.suffix == "" or re.fullmatch(r"\.\w[\w.-]*", it.suffix), f"suffix is {it.suffix!r}"
        for names in (it.types, it.forms):
            assert isinstance(names, tuple), f"{names!r} is no tuple"
            assert names
            assert all(re.fullmatch(r"\w+(\.\w+)+", name) for name in names), f"{names}; write 'package.Class'"

    def test_its_values_are_found_by_its_types(self, it: Materializer, make: Callable[[], Any]) -> None:
        """The name of a value's type, or of one of its bases, is among ``types``."""
        assert set(type_names(type(make()))) & set(it.types)

    def test_there_is_an_empty_value(self) -> None:
        """An empty value is tried, too."""
        assert not self.has_empty or "empty" in self.values, "add a value 'empty', or say has_empty = False"

    def test_importing_it_imports_no_library(self, elsewhere: Mapping[str, Any]) -> None:
        """Libraries are imported by the methods that need them: every step looks at every materializer."""
        assert elsewhere["imported"] == []

    # ---- round trips ---------------------------------------------------------------------------------------------

    def test_a_value_comes_back(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """What is loaded equals what was saved, wherever it lies: odd folders and names."""
        folder = tmp_path / "a földer with späces" / "日本 50% #1"
        folder.mkdir(parents=True)
        value = make()
        path = folder / f"the välue{it.suffix}"
        details = _plain(it.save(value, path))
        assert [one.name for one in folder.iterdir()] == [path.name], "save writes to its path, and nowhere else"
        assert path.is_dir() == (it.suffix == ""), "a suffix is of a file; a folder has none"
        assert self.equal(make(), it.load(path, own_form(it, type(value)), details))

    def test_a_value_comes_back_in_another_process(self, elsewhere: Mapping[str, Any]) -> None:
        """Nothing that loading needs is left behind in the process that saved."""
        assert elsewhere["lost"] == []

    def test_a_value_comes_back_from_a_cache(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """A file in a cache has its digest for a name, and must not be written to."""
        value = make()
        details = _plain(it.save(value, tmp_path / f"value{it.suffix}"))
        blob = (tmp_path / f"value{it.suffix}").rename(tmp_path / "9f86d081884c7d65")
        for path in [*blob.rglob("*"), blob]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = content(blob)
        try:
            assert self.equal(value, it.load(blob, own_form(it, type(value)), details))
            assert content(blob) == before
        finally:
            for path in [blob, *blob.rglob("*")]:
                path.chmod(0o755)

    def test_a_form_gives_what_it_is_called(self, it: Materializer, form: str, tmp_path: Path) -> None:
        """Each form is what a consumer gets that asks for it, of one value at least; of others it may be refused."""
        if find_spec(form.partition(".")[0]) is None:
            pytest.skip(f"{form} needs a library that is not installed")
        given = 0
        for number, make in enumerate(self.values.values()):
            path = tmp_path / f"{number}{it.suffix}"
            details = _plain(it.save(make(), path))
            try:
                loaded = it.load(path, form, details)
            except ValueError:
                continue
            given += 1
            assert _is(loaded, form), f"{form} gave {type_names(type(loaded))}"
        assert given, f"no value of this suite can be read as {form}"

    def test_an_unknown_form_is_refused(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """A form that it does not declare is a ValueError."""
        path = tmp_path / f"value{it.suffix}"
        details = _plain(it.save(make(), path))
        with pytest.raises(ValueError, match=r"\S"):
            it.load(path, "nowhere.Form", details)

    # ---- equal values, equal bytes -------------------------------------------------------------------------------

    def test_equal_values_give_equal_bytes(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """A value, one that was made anew, and one that was loaded: the same bytes and details."""
        one, two, three = (tmp_path / f"{name}{it.suffix}" for name in ("one", "two", "three"))
        value = make()
        details = it.save(value, one)
        assert it.save(make(), two) == details
        assert content(one) == content(two)
        loaded = it.load(one, own_form(it, type(value)), _plain(details))
        if type_names(type(loaded))[0] == type_names(type(value))[0]:
            assert it.save(loaded, three) == details
            assert content(one) == content(three)

    def test_equal_values_give_equal_bytes_in_every_process(self, elsewhere: Mapping[str, Any]) -> None:
        """Neither hashes of texts nor addresses of objects are in the bytes or the details."""
        assert elsewhere["differs"] == []

    def test_saving_leaves_the_value_as_it_was(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """The function may go on with it."""
        value = make()
        it.preview(value)
        it.save(value, tmp_path / f"value{it.suffix}")
        assert self.unchanged(value, make())

    # ---- what is refused -----------------------------------------------------------------------------------------

    def test_a_value_of_another_type_is_refused(self, it: Materializer, tmp_path: Path) -> None:
        """As a ValueError that names its type; nothing is written."""
        with pytest.raises(ValueError, match="_Stranger"):
            it.save(_Stranger(), tmp_path / f"value{it.suffix}")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_an_error(
        self, it: Materializer, make: Callable[[], Any], damage: str, tmp_path: Path
    ) -> None:
        """A file that was cut or overwritten is a ValueError, and no value that looks like one."""
        value = make()
        path = tmp_path / f"value{it.suffix}"
        details = _plain(it.save(value, path))
        for name, data in content(path).items():
            damaged = DAMAGES[damage](data)
            file = path / name if name else path
            if damaged == data or file.is_dir():
                continue
            file.write_bytes(damaged)
            if damage in self.cannot_tell:
                _load_or_refuse(it, path, own_form(it, type(value)), details)
            else:
                with pytest.raises(ValueError, match=r"\S"):
                    it.load(path, own_form(it, type(value)), details)
            file.write_bytes(data)

    @pytest.mark.parametrize("carrier", sorted(carriers(Path())))
    def test_loading_executes_no_code(self, it: Materializer, carrier: str, tmp_path: Path) -> None:
        """A pickle in the place of a file is not unpickled, in whatever form the value is asked for."""
        path, marker = tmp_path / f"value{it.suffix}", tmp_path / "it was unpickled"
        details = _plain(it.save(next(iter(self.values.values()))(), path))
        names = [name for name in content(path) if not (path / name).is_dir()]
        whole = tmp_path / "whole"
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, whole)
        for form in it.forms:
            if find_spec(form.partition(".")[0]) is None:
                continue
            for name in names:
                (path / name if name else path).write_bytes(carriers(marker)[carrier])
                _load_or_refuse(it, path, form, details)
                assert not marker.exists()
                shutil.copy2(whole / name if name else whole, path / name if name else path)

    def test_details_name_no_module_that_is_imported(
        self, it: Materializer, make: Callable[[], Any], tmp_path: Path
    ) -> None:
        """Details are data: what somebody else wrote into them is refused, or means nothing."""
        value = make()
        path = tmp_path / f"value{it.suffix}"
        details = _plain(it.save(value, path))
        for name in details:
            _load_or_refuse(it, path, own_form(it, type(value)), {**details, name: "antigravity"})
            _load_or_refuse(it, path, own_form(it, type(value)), {**details, name: {"class": "antigravity.Any"}})
        assert "antigravity" not in sys.modules

    # ---- what people see -----------------------------------------------------------------------------------------

    def test_the_preview_is_small_json(self, it: Materializer, make: Callable[[], Any]) -> None:
        """It is shown in a row of XCom: JSON without NaN, a few texts, no data."""
        preview = it.preview(make())
        assert _plain(preview) == preview, "JSON gives back something else: tuples, or names that are no text"
        assert len(json.dumps(preview)) <= PREVIEW, "show less: XCom would leave members out"
        assert max(map(len, _texts(preview)), default=0) <= _TEXT

    def test_details_are_small_json(self, it: Materializer, make: Callable[[], Any], tmp_path: Path) -> None:
        """They travel in a row of XCom, which must stay small: JSON without NaN, no data."""
        details = it.save(make(), tmp_path / f"value{it.suffix}")
        assert _plain(details) == details, "JSON gives back something else: tuples, or names that are no text"
        assert len(json.dumps(details)) <= DETAILS, "write what is long into the file"
        assert max(map(len, _texts(details)), default=0) <= _TEXT

    # ---- streams -------------------------------------------------------------------------------------------------

    def test_batches_come_back_one_by_one(self, it: Materializer, tmp_path: Path) -> None:
        """A stream is read as it was written, with equal bytes for equal batches."""
        if not isinstance(it, Streams):
            pytest.skip("it has no save_stream")
        batches = self.batches()
        assert batches, "give some: def batches(self): return [...]"
        one, two = tmp_path / f"one{it.suffix}", tmp_path / f"two{it.suffix}"
        details = _plain(it.save_stream(iter(batches), one))
        assert it.save_stream(iter(batches), two) == details
        assert content(one) == content(two)
        assert details["batches"] == len(batches)
        loaded = list(it.load_stream(one, own_form(it, type(batches[0])), details))
        assert len(loaded) == len(batches)
        assert all(map(self.equal, batches, loaded))


def _made(home: str) -> Materializer:
    module, _, name = home.partition(":")
    found: Materializer = getattr(importlib.import_module(module), name)()
    return found


def _is(loaded: Any, form: str) -> bool:
    """Whether a value is of a form, by the names of its bases, or as the class of that name decides (``jax.Array``)."""
    package, _, name = form.partition(".")
    kind = getattr(importlib.import_module(package), name, None)
    return form in type_names(type(loaded)) or (isinstance(kind, type) and isinstance(loaded, kind))


def _plain(document: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(dict(document), allow_nan=False))


def _load_or_refuse(it: Materializer, path: Path, form: str, details: Mapping[str, Any]) -> None:
    """Whatever is loaded is no matter; an error must be one that says so."""
    try:
        it.load(path, form, details)
    except ValueError:
        pass


def _texts(document: Any) -> list[str]:
    if isinstance(document, Mapping):
        return [text for pair in document.items() for part in pair for text in _texts(part)]
    if isinstance(document, (list, tuple)):
        return [text for part in document for text in _texts(part)]
    return [document] if isinstance(document, str) else []
