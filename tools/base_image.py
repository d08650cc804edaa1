"""A container image of this machine's own Python, so that containers can be run without a registry.

``python -m tools.base_image [TAG]``.  It holds Python and its libraries, a shell, the usual programs (busybox) and, on
request, site-packages as a second layer.  The same machine gives the same image: names, times and order in it are
fixed, so its digest is that of its content.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

TAG = "mlpipe-tests/python:1"
BUSYBOX = Path("/bin/busybox")
_LIB = f"/lib/{os.uname().machine}-linux-gnu"
_LEFT_OUT = set("test tests idlelib tkinter turtledemo lib2to3 __pycache__ site-packages ensurepip".split())  # noqa: SIM905 - a list of words
_PROGRAMS = """
    [ awk base64 basename cat chmod chown cp cut date dd df dirname du echo env expr false find grep gzip head hostname
    id kill ln ls mkdir mktemp mv nproc pgrep pkill printf ps readlink rm sed seq sh sha256sum sleep sort stat sync tail
    tar tee test timeout touch tr true uname uniq wc wget which xargs
""".split()  # noqa: SIM905 - a list of words
_ETC = {
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "/etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_FOLDERS = {
    "/tmp": 0o1777,  # noqa: S108 - the image's
    "/root": 0o700,
    "/proc": 0o555,
    "/sys": 0o555,
    "/dev": 0o755,
}


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link of the image."""

    target: str


Member = Path | bytes | Link


@dataclass(slots=True)
class Layer:
    """Files by their absolute path in the image."""

    files: dict[str, Member] = field(default_factory=dict)

    def tar(self, folders: Mapping[str, int]) -> bytes:
        """The layer, with fixed owners and times."""
        buffer = io.BytesIO()
        modes = dict(folders)
        for path in self.files:
            for parent in PurePosixPath(path).parents:
                modes.setdefault(str(parent), 0o755)
        modes.pop("/", None)
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(modes):
                info = _info(path, modes[path])
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            for path in sorted(self.files):
                _add(archive, path, self.files[path])
        return buffer.getvalue()


def _info(path: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.mode, info.mtime = mode, 0
    return info


def _add(archive: tarfile.TarFile, path: str, member: Member) -> None:
    if isinstance(member, Link):
        info = _info(path, 0o777)
        info.type, info.linkname = tarfile.SYMTYPE, member.target
        archive.addfile(info)
        return
    data = member if isinstance(member, bytes) else member.read_bytes()
    info = _info(path, 0o755 if isinstance(member, Path) and os.access(member, os.X_OK) else 0o644)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def base_layer() -> Layer:
    """Python, its libraries, a shell and programs."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    library = Path(sysconfig.get_path("stdlib"))
    python = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    files: dict[str, Member] = {**_ETC, f"/usr/local/bin/python{version}": python}
    files |= {f"/usr/local/bin/{name}": Link(f"python{version}") for name in ("python", "python3")}
    for source in _tree(library):
        if not re.search(r"lib-dynload/_(test|tkinter)", str(source)):
            files[f"/usr/local/lib/python{version}/{source.relative_to(library)}"] = source
    extensions = [f for f in files.values() if isinstance(f, Path) and f.suffix == ".so"]
    bash = Path("/bin/bash")
    files["/bin/bash"] = bash
    files |= _libraries([python, bash, *extensions, *_further()], Path(sys.base_prefix))
    files["/bin/busybox"] = BUSYBOX
    files |= {f"/bin/{name}": Link("busybox") for name in _PROGRAMS}
    if _CERTIFICATES.exists():
        files[str(_CERTIFICATES)] = _CERTIFICATES
    return Layer(files)


def _tree(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _LEFT_OUT and not f.startswith("config-"))
        yield from (Path(folder, name) for name in sorted(names))


def _further() -> list[Path]:
    """What is loaded by name at run time, and all of the C library: wheels link to parts of it that Python does not."""
    named = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2", "libstdc++.so.6", "libgomp.so.1")
    found = [Path(f"/usr{_LIB}/{name}") for name in named]
    listed = subprocess.run(["dpkg", "-L", "libc6"], capture_output=True, text=True, check=False).stdout.split()
    found += [Path(line) for line in listed if re.fullmatch(rf"(/usr)?{re.escape(_LIB)}/[^/]+\.so\S*", line)]
    return [path for path in found if path.exists()]


def _libraries(programs: Iterable[Path], prefix: Path) -> dict[str, Member]:
    files: dict[str, Member] = {}
    for program in programs:
        if ".so" in program.name and str(program).startswith(("/lib", "/usr/lib")):
            files[f"{_LIB}/{program.name}"] = Path(os.path.realpath(program))
        linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", linked, re.MULTILINE):
            name = os.path.basename(path)
            own = str(prefix) != "/usr" and path.startswith(str(prefix))
            target = path if path.startswith("/lib64/") else f"/usr/local/lib/{name}" if own else f"{_LIB}/{name}"
            files[target] = Path(os.path.realpath(path))
    return files


def site_layer(site: Path) -> Layer:
    """Installed packages (``pip install --target``) as the image's site-packages."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    top = f"/usr/local/lib/python{version}/site-packages"
    found = (Path(folder, name) for folder, _, names in os.walk(site) for name in names)
    return Layer({f"{top}/{path.relative_to(site)}": path for path in found})


def archive(tag: str, layers: Iterable[Layer], config: Mapping[str, Any] | None = None) -> bytes:
    """The image as ``docker load`` takes it.  :param config: of the image, over the usual one (``User``, ...)."""
    tars = [layer.tar(_FOLDERS if number == 0 else {}) for number, layer in enumerate(layers)]
    digests = [hashlib.sha256(tar).hexdigest() for tar in tars]
    usual = {
        "Env": [
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH=/usr/local/lib",
            f"SSL_CERT_FILE={_CERTIFICATES}",
        ],
        "Cmd": ["python3"],
    }
    document = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {**usual, **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tools.base_image"}] * len(digests),
    }
    text = json.dumps(document, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar" for digest in digests]}]
    members = {name: text, "manifest.json": json.dumps(manifest).encode()}
    members |= {f"{digest}/layer.tar": tar for digest, tar in zip(digests, tars, strict=True)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def load(client: Any, tag: str = TAG, *, site: Path | None = None, config: Mapping[str, Any] | None = None) -> str:
    """Give an engine the image; its id.  :param client: a ``docker.DockerClient``."""
    layers = [base_layer(), *([site_layer(site)] if site else [])]
    (image,) = client.images.load(archive(tag, layers, config))
    return str(image.id)


if __name__ == "__main__":
    import docker

    print(load(docker.from_env(), *sys.argv[1:2]))
