"""Surroundings in which a run must work as anywhere, drawn by a seed: one value of each axis."""

import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAMELESS = 54321
"""A uid without an entry in passwd, as a container may give."""
_AS_NAMELESS = ["unshare", "--user", f"--map-user={NAMELESS}", f"--map-group={NAMELESS}"]
_ANOTHER = 12345
AXES: dict[str, list[str]] = {
    "locale": ["UTF-8", "C", "POSIX", "ASCII", "Latin-1", "Latin-1 terminal"],
    "terminal": ["xterm-256color", "dumb", "none"],
    "zone": ["UTC", "Pacific/Kiritimati", "America/St_Johns"],
    "proxy": ["none", "HTTP_PROXY HTTPS_PROXY ALL_PROXY", "ALL_PROXY"],
    "user": ["the caller", "a uid without a name"],
    "home": ["a folder", "unset", "read-only"],
    "umask": ["022", "077", "002"],
    "path": ["plain", "with space", "it's \"so\" $HOME", "Müll 猫", "100% #1 [x]"],
    "git": [
        "committed", "no commit", "no repository", "not installed", "inside another's", "shallow", "of another owner",
    ],
    "links": ["none", "checkout", "data", "models", "cache", "source"],
}  # fmt: skip
Surroundings = Mapping[str, str]


def draw(seed: int) -> dict[str, str]:
    """A value of each axis; of an axis with n values each comes once among seeds 0 to n-1, n to 2n-1, and so on."""
    drawn = {}
    for axis, values in AXES.items():
        turn, place = divmod(seed, len(values))
        drawn[axis] = random.Random(f"{axis} {turn}").sample(values, len(values))[place]
    return drawn


@dataclass
class Place:
    """A checkout in its surroundings: where it is, as which user and with which variables commands run in it."""

    folder: Path
    """By the name that commands are given, which may be a link."""
    environment: dict[str, str]
    umask: int
    before: list[str] = field(default_factory=list)
    """What is put before a command, so that it runs as that user."""

    def run(self, *command: str) -> tuple[int, str]:
        """The exit code, and everything printed, in whichever encoding."""
        done = subprocess.run(
            [*self.before, *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            umask=self.umask,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace")


def place_in(project: Path, tools: Path, base: Path, drawn: Surroundings, locales: Path | None) -> Place:
    """A copy of a project under `base`, made as the surroundings say; `tools` is the folder of its Python."""
    umask = int(drawn["umask"], 8)
    target = base / drawn["path"]
    _copy(project, target, drawn["git"])
    named = _link(base, target, drawn["links"])
    place = Place(named, _variables(base, tools, drawn, locales), umask)
    if drawn["user"] == "a uid without a name" and _works(_AS_NAMELESS):
        place.before = _AS_NAMELESS
    if umask == 0o077:
        subprocess.run(["chmod", "-R", "go-rwx", str(target)], check=True)
    if drawn["home"] == "read-only":
        (base / "home").chmod(0o555)
    if drawn["git"] == "of another owner" and os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{_ANOTHER}:{_ANOTHER}", str(target / ".git")], check=True)
        subprocess.run(["chmod", "-R", "go+rX", str(target / ".git")], check=True)
    return place


def _works(before: list[str]) -> bool:
    """Whether this machine lets us be another user so."""
    return shutil.which(before[0]) is not None and not subprocess.run([*before, "true"], check=False).returncode


def _copy(project: Path, target: Path, git: str) -> None:
    if git == "shallow":
        _git(target.parent, "clone", "-q", "--depth", "1", f"file://{project}", str(target))
        return
    shutil.copytree(project, target, symlinks=True)
    if git in ("no commit", "no repository", "inside another's"):
        shutil.rmtree(target / ".git")
    if git == "no commit":
        _git(target, "init", "-q")
    if git == "inside another's":
        _git(target.parent, "init", "-q")
        (target.parent / ".bashrc").write_text("# dotfiles\n")
        _git(target.parent, "add", ".bashrc")
        _git(target.parent, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "dotfiles")


def _link(base: Path, target: Path, links: str) -> Path:
    """Put a part of the checkout elsewhere, with a link in its place; the checkout by the name that is used."""
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    if links == "checkout":
        (base / "link").symlink_to(target)
        return base / "link"
    if links == "data":
        shutil.move(target / "data", elsewhere / "data")
        (target / "data").symlink_to(elsewhere / "data")
    if links == "models":
        (elsewhere / "models").mkdir()
        (target / "models").symlink_to(elsewhere / "models")
    if links == "source":
        shutil.move(target / "data/source", elsewhere / "source")
        (target / "data/source").symlink_to(elsewhere / "source")
    if links == "cache":
        (target / ".dvc/config.local").write_text(f"[cache]\n    dir = {elsewhere / 'cache'}\n    type = symlink\n")
    return target


def _variables(base: Path, tools: Path, drawn: Surroundings, locales: Path | None) -> dict[str, str]:
    """An environment of its own, with nothing of the caller's but what tests need."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "OMP_"))}
    path = _without_git(base) if drawn["git"] == "not installed" else os.environ["PATH"]
    found = {**kept, "PATH": f"{tools}{os.pathsep}{path}", "DVC_NO_ANALYTICS": "1", "TZ": drawn["zone"]}
    (base / "home").mkdir()
    if drawn["home"] != "unset":
        found["HOME"] = str(base / "home")
    if drawn["terminal"] != "none":
        found["TERM"] = drawn["terminal"]
    without_utf8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    latin1 = {"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": str(locales)} if locales else without_utf8
    return (
        found
        | {
            "UTF-8": {"LC_ALL": "C.UTF-8"},
            "C": {"LC_ALL": "C"},
            "POSIX": {"LC_ALL": "POSIX"},
            "ASCII": without_utf8,
            "Latin-1": latin1,
            "Latin-1 terminal": {"PYTHONIOENCODING": "latin-1"},
        }[drawn["locale"]]
    )


def _without_git(base: Path) -> str:
    """A folder that has every program of the system but git."""
    folder = base / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).iterdir() if Path(place).is_dir() else []:
            link = folder / program.name
            if not program.name.startswith("git") and not os.path.lexists(link):
                link.symlink_to(program)
    return str(folder)


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)
