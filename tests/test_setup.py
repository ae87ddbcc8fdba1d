"""`make setup`: the Python that is taken, an environment that will not do or was moved, and what one sees of pip."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def load_install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements/install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INSTALL = load_install()


def fake_python(path: Path, version: str) -> Path:
    """A program that answers as a Python of this version, and makes virtual environments that answer so too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    answer = f"""#!/bin/sh
case "$*" in
    *executable*) echo "$0" ;;
    *d.%d.%d*) echo {version} ;;
    *d.%d*) echo {version.rpartition(".")[0]} ;;
    *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "made by {version}" ;;
    *install.py*) echo "installs $2 by {version}" ;;
esac
"""
    path.write_text(answer)
    path.chmod(0o755)
    return path


def run(script: str, *arguments: str, path: str = "", folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{path}:/usr/bin:/bin"}
    command = ["sh", str(ROOT / "requirements" / script), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def only(tmp_path: Path, **versions: str) -> str:
    """A PATH that begins with Pythons of these names and versions; those of the machine are hidden."""
    hidden = dict.fromkeys(("python3.11", "python3.12", "python3.13", "python3", "python"), "2.7.18")
    for name, version in {**hidden, **{key.replace("_", "."): value for key, value in versions.items()}}.items():
        fake_python(tmp_path / "bin" / name, version)
    return str(tmp_path / "bin")


@pytest.mark.parametrize("version", ["3.11.2", "3.12.9", "3.13.0"])
def test_each_python_that_is_tried_will_do_by_whatever_name(tmp_path: Path, version: str) -> None:
    assert run("python.sh", path=only(tmp_path, python3=version)).stdout == f"{tmp_path}/bin/python3\n"


@pytest.mark.tried(
    "`make setup` with Python 2.7, 3.10 or 3.14 alone",
    "error: Python 3.11, 3.12 or 3.13 is needed (... is ...): install one, or name it: make PYTHON=/path/to/python3.12",
)
@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.14.1"])
def test_any_other_python_is_one_sentence_that_says_which_are_needed(
    tmp_path: Path, read: Callable[[str], None], version: str
) -> None:
    named = fake_python(tmp_path / "other", version)
    for done in (run("python.sh", str(named)), run("install.sh", ".venv", "run", str(named), folder=tmp_path)):
        assert done.returncode == 2
        assert done.stdout == ""
        assert f"{named} is {version}" in done.stderr
        read(done.stderr)
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()
    assert "python3 is 3.10.2, " in run("python.sh", path=only(tmp_path, python3="3.10.2")).stderr


@pytest.mark.tried(
    "`make setup PYTHON=/no/python`",
    "error: Python 3.11, 3.12 or 3.13 is needed (/no/python cannot be started): install one, or name it: make "
    "PYTHON=/path/to/python3.12",
)
def test_a_python_that_cannot_be_started_is_named(read: Callable[[str], None]) -> None:
    read(run("python.sh", "/no/python").stderr)


def test_of_a_python_in_a_virtual_environment_the_one_that_made_it_is_taken() -> None:
    found = run("python.sh", sys.executable).stdout.strip()
    code = "import sys; print(sys.prefix == sys.base_prefix)"
    assert subprocess.run([found, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.tried("`make` with a `.venv` of Python 3.10", ".venv is of Python 3.10: it is made anew")
@pytest.mark.tried(
    "`make` with a `.venv` whose Python was uninstalled", ".venv is of a Python that is gone: it is made anew"
)
def test_an_environment_of_a_wrong_or_vanished_python_is_made_anew_and_a_right_one_is_kept(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    path, venv = only(tmp_path, python3_12="3.12.4"), tmp_path / ".venv"
    first = run("install.sh", ".venv", "run", path=path, folder=tmp_path)
    assert first.stdout == ".venv is missing: it is made\nmade by 3.12.4\ninstalls run by 3.12.4\n"
    again = run("install.sh", ".venv", "dev", path=path, folder=tmp_path)
    assert again.stdout == "installs dev by 3.12.4\n"
    fake_python(venv / "bin/python", "3.10.1")
    (venv / "old").touch()
    wrong = run("install.sh", ".venv", "run", path=path, folder=tmp_path)
    read(wrong.stdout)
    assert wrong.stdout.endswith("made by 3.12.4\ninstalls run by 3.12.4\n")
    assert not (venv / "old").exists()
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to(tmp_path / "uninstalled")
    read(run("install.sh", ".venv", "run", path=path, folder=tmp_path).stdout)
    other = fake_python(tmp_path / "named", "3.13.1")
    named = run("install.sh", ".venv", "run", str(other), path=path, folder=tmp_path)
    assert named.stdout == ".venv is of Python 3.12: it is made anew\nmade by 3.13.1\ninstalls run by 3.13.1\n"


def test_a_broken_environment_stays_where_no_python_will_do(tmp_path: Path) -> None:
    fake_python(tmp_path / ".venv/bin/python", "3.10.1")
    assert run("install.sh", ".venv", "run", path=only(tmp_path), folder=tmp_path).returncode == 2
    assert (tmp_path / ".venv/bin/python").exists()


def test_scripts_of_an_environment_that_was_moved_name_its_new_place(tmp_path: Path) -> None:
    old, new = "/home/a/mintage/.venv", str(tmp_path / ".venv")
    (tmp_path / "dvc").write_text(f"#!{old}/bin/python3.11\nimport dvc\n")
    (tmp_path / "activate").write_text(f'VIRTUAL_ENV="{old}"\nexport VIRTUAL_ENV\n')
    (tmp_path / "binary").write_bytes(b"\x7fELF\0" + old.encode())
    (tmp_path / "python").symlink_to("/usr/bin/python3")
    INSTALL.mend_scripts(tmp_path, old, new)
    assert (tmp_path / "dvc").read_text() == f"#!{new}/bin/python3.11\nimport dvc\n"
    assert (tmp_path / "activate").read_text() == f"VIRTUAL_ENV={new}\nexport VIRTUAL_ENV\n"
    assert old.encode() in (tmp_path / "binary").read_bytes()


def started(tool: Path, *arguments: str) -> str:
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["with a space", 'it\'s "a" $HOME `id` \\ place', "x" * 120])
@pytest.mark.parametrize(
    "head", ["#!/home/a/.venv/bin/python", "#!/bin/sh\n'''exec' \"/home/a/.venv/bin/python\" \"$0\" \"$@\"\n' '''"]
)
def test_a_script_and_an_activation_work_in_a_place_of_any_name(tmp_path: Path, name: str, head: str) -> None:
    new, next_one = tmp_path / name / ".venv", tmp_path / "plain/.venv"
    (new / "bin").mkdir(parents=True)
    (new / "bin/python").symlink_to(sys.executable)
    (new / "bin/tool").write_text(f"{head}\nimport sys\nprint(sys.argv[1:])\n")
    (new / "bin/tool").chmod(0o755)
    (new / "bin/activate").write_text('VIRTUAL_ENV="/home/a/.venv"\nexport VIRTUAL_ENV\n')
    before = "/home/a/.venv"
    for place in (new, next_one):  # moved, and moved again
        if place != new:
            new.parent.rename(place.parent)
        INSTALL.mend_scripts(place / "bin", before, str(place))
        before = str(place)
        assert started(place / "bin/tool", "one two") == "['one two']\n"
        assert started(Path("/bin/sh"), "-c", '. "$0"; printf %s "$VIRTUAL_ENV"', str(place / "bin/activate")) == before
    link = tmp_path / "link"
    link.symlink_to(next_one / "bin/tool")
    assert started(link) == "[]\n"


def test_the_place_for_which_an_environment_was_made_is_known(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("version = 3.11.7\ncommand = /usr/bin/python3.11 -m venv /home/a b/.venv\n")
    assert INSTALL.made_at(tmp_path / "pyvenv.cfg") == "/home/a b/.venv"
    assert INSTALL.made_at(tmp_path / "nothing") == ""


def test_an_environment_that_checkouts_share_by_links_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(shared)], check=True)
    stamp = json.dumps({"wanted": INSTALL.digest(), "place": str(shared)})
    (shared / ".run").write_text(stamp)
    (shared / "bin/dvc").write_text(f"#!{shared}/bin/python\n")
    for checkout in ("one", "other"):
        (tmp_path / checkout).mkdir()
        (tmp_path / checkout / ".venv").symlink_to(shared)
        done = run("install.sh", ".venv", "run", folder=tmp_path / checkout)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (shared / "bin/dvc").read_text() == f"#!{shared}/bin/python\n"
    assert (shared / ".run").read_text() == stamp


@pytest.mark.tried(
    "`make setup`, while pip looks for packages", "2 packages found, 198 MB fetched, now tqdm-4.70.0, 500 kB"
)
@pytest.mark.tried("`make setup`, while pip installs them", "installed 1 of 2 packages")
def test_progress_tells_how_many_packages_and_how_much_was_fetched(tmp_path: Path, read: Callable[[str], None]) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "pip-24.dist-info").mkdir(parents=True)
    progress = INSTALL.Progress(tmp_path)
    for line in [
        "Collecting torch==2.13.0 (from -r requirements/train.txt (line 11))",
        "  Downloading https://index/torch-2.13.0-cp311-cp311-linux_x86_64.whl (197.5 MB)",
        "Collecting tqdm (from -r requirements/base.txt (line 6))",
        "  Using cached tqdm-4.70.0-py3-none-any.whl.metadata (500 kB)",
    ]:
        progress.read(line.strip())
    read(str(progress))
    progress.read("Requirement already satisfied: numpy<3 in ./.venv/lib/python3.11/site-packages (2.4.0)")
    assert str(progress).startswith("2 packages found, 1 times one that is there, ")
    progress.read("Installing collected packages: tqdm, torch")
    (site / "tqdm-4.70.0.dist-info").mkdir()
    read(str(progress))


@pytest.mark.tried(
    "`make help`",
    "make run set up, run the pipeline, say where everything is make setup set up alone: the packages, in .venv; ...",
)
def test_make_help_names_each_target_that_a_person_gives(read: Callable[[str], None]) -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    read(done.stdout)
    for target in ("test", "serve", "remote", "pull", "up", "clean", "help"):
        assert f"make {target} " in done.stdout
