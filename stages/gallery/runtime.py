"""ONNX Runtime Web, by which pages run generators: one version of npm's package, checked, and put into the site.

It runs in WebAssembly on one thread, so that any server will do, or none: a page on a disk can load it, too, since it
is one script that holds everything in base64, and browsers let such a page read no other files.
"""

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from stages.common.errors import UserError
from stages.common.files import write_bytes, write_text
from stages.gallery.explorer import packed

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""The digest of the package's archive, in base64 as in npm's lock files."""
ARCHIVE = f"{PACKAGE}-{VERSION}.tgz"
SCRIPT = f"explorer/{PACKAGE}-{VERSION}.js"
LICENSE = f"explorer/{PACKAGE}.txt"
"""The paths of the script and of its license in the site."""
MEMBERS = tuple(
    f"package/dist/ort{name}" for name in (".wasm.min.js", "-wasm-simd-threaded.mjs", "-wasm-simd-threaded.wasm")
)
"""Files in the archive: the API, the glue that starts the code, and the code."""
_PATIENCE = 300
"""Seconds to fetch 33 MB."""


def bring(site: Path, archive: Path | None = None) -> None:
    """Put the runtime into the site, unless it is there: from the given archive, else by npm.

    Raises UserError if it cannot be had.
    """
    if not (site / SCRIPT).is_file():
        write_text(site / LICENSE, (Path(__file__).parent / "static" / f"{PACKAGE}.txt").read_text())
        write_text(site / SCRIPT, script_of(_archive() if archive is None else _checked(archive)))


def script_of(content: bytes) -> str:
    """The package as one script: its API, and its code gzipped and in base64, which the explorer unpacks."""
    with tarfile.open(fileobj=io.BytesIO(content)) as members:
        api, glue, code = (_member(members, name) for name in MEMBERS)
    return f'{api.decode()}\nconst RUNTIME = {{"glue": "{packed(glue)}", "code": "{packed(code)}"}};\n'


def kept() -> Path:
    """The place of the archive in the cache."""
    folder = os.environ.get("MINTAGE_CACHE") or Path.home() / ".cache/mintage"
    return Path(folder) / ARCHIVE


def _archive() -> bytes:
    """The archive in the cache; else npm's, which then goes into the cache."""
    if kept().is_file() and digest_of(content := kept().read_bytes()) == SHA512:
        return content
    with tempfile.TemporaryDirectory() as folder:
        content = _packed_by_npm(Path(folder))
    with suppress(OSError):  # a cache that cannot be written is left out
        write_bytes(kept(), content)
    return content


def _packed_by_npm(folder: Path) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise _missing("npm is not installed")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--fetch-retries=1", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    except (subprocess.SubprocessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise _missing(f"npm does not bring it ({' '.join(said.split())[:200]})") from None
    return _checked(folder / ARCHIVE)


def _checked(archive: Path) -> bytes:
    try:
        content = archive.read_bytes()
    except OSError as error:
        raise UserError(
            "runtime-unreadable", f"{archive} cannot be read ({error.strerror}): name {ARCHIVE} of npm with --runtime"
        ) from None
    if digest_of(content) != SHA512:
        raise UserError(
            "runtime-not-itself", f"{archive} is not {ARCHIVE} of npm: its SHA-512 differs; fetch it once more"
        )
    return content


def _missing(reason: str) -> UserError:
    return UserError(
        "runtime-missing",
        f"pages are without an explorer, since {reason}: install Node.js and run again, or name {ARCHIVE}, which "
        f"`npm pack {PACKAGE}@{VERSION}` writes on another machine, with --runtime",
    )


def digest_of(content: bytes) -> str:
    """The SHA-512 in base64."""
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


def _member(members: tarfile.TarFile, name: str) -> bytes:
    file = members.extractfile(name)
    assert file is not None, name  # the SHA-512 says that it is there
    return file.read()
