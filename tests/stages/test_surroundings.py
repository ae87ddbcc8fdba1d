"""Where a command is started: terminals and locales of every kind, proxies, users without a home."""

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from stages.common import surroundings
from stages.common.surroundings import is_near, reach_this_machine_directly
from tests.counting_proxy import BODY, Server, behind, serving

ROOT = Path(__file__).parents[2]
SIGNS = "−0.014 ± 0.2, 2.1×10⁻⁶, Müller, 猫"
SAY = f"from stages.common.errors import run_stage; run_stage(lambda: print({SIGNS!a}))"
LIST = "import os; from stages.common.errors import run_stage; run_stage(lambda: print(*map(ascii, os.listdir())))"


def python(
    code: str, environment: Mapping[str, str | None], folder: Path = ROOT
) -> "subprocess.CompletedProcess[bytes]":
    """What a program prints; a variable that is None is not set."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    kept = {name: value for name, value in variables.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=kept, capture_output=True, check=True)


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "utf-8", SIGNS),
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", "-0.014 ± 0.2, 2.1×10^-6, Müller, \\u732b"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii", "-0.014 +/- 0.2, 2.1x10^-6, M\\xfcller, \\u732b"),
        ({"PYTHONIOENCODING": "cp1252"}, "cp1252", "-0.014 ± 0.2, 2.1×10^-6, Müller, \\u732b"),
        ({"LC_ALL": "C", "TERM": None}, "utf-8", SIGNS),
        ({"LC_ALL": "POSIX", "TERM": "dumb"}, "utf-8", SIGNS),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "utf-8", SIGNS),
    ],
)
def test_a_terminal_of_any_encoding_shows_plain_signs_for_those_it_lacks(
    environment: dict[str, str | None], encoding: str, expected: str
) -> None:
    assert python(SAY, environment).stdout.decode(encoding) == f"{expected}\n"


@pytest.mark.tried("a terminal in Latin-1 (`PYTHONIOENCODING=latin-1`)", "kernel distance -0.0149 ± 0.0041")
def test_a_minus_stays_a_minus_on_a_latin_1_terminal(read: Callable[[str], None]) -> None:
    code = SAY.replace(f"{SIGNS!a}", ascii("kernel distance  −0.0149 ± 0.0041"))
    read(python(code, {"PYTHONIOENCODING": "latin-1"}).stdout.decode("latin-1"))


def test_a_closed_output_is_no_error() -> None:
    code = "from stages.common.errors import run_stage; run_stage(lambda: print(1))"
    command = ["sh", "-c", f"exec '{sys.executable}' -c '{code}' >&-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_names_of_files_are_read_as_utf_8_in_a_locale_that_is_not(tmp_path: Path) -> None:
    (tmp_path / "Müll 猫").touch()
    done = python(LIST, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, tmp_path)
    assert done.stdout.decode() == "'M\\xfcll \\u732b'\n"


@pytest.fixture(scope="module")
def latin1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The environment of a German who never changed to UTF-8."""
    folder = tmp_path_factory.mktemp("locales")
    made = folder / "de_DE.ISO-8859-1"
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(made)]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True, check=False).returncode > 1:
        pytest.skip("no Latin-1 locale can be made here")
    return {"LOCPATH": str(folder), "LC_ALL": made.name, "PYTHONUTF8": None, "PYTHONIOENCODING": None}


def test_in_a_latin_1_locale_names_are_utf_8_and_the_output_is_latin_1(
    tmp_path: Path, latin1: dict[str, str | None]
) -> None:
    (tmp_path / "Müll 猫").touch()
    assert python(LIST, latin1, tmp_path).stdout.decode() == "'M\\xfcll \\u732b'\n"
    assert python(SAY, latin1).stdout.decode("latin-1") == "-0.014 ± 0.2, 2.1×10^-6, Müller, \\u732b\n"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without proxies, which the test may change."""
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    monkeypatch.setattr(os, "environ", own)
    return own


def test_without_a_proxy_nothing_is_set(variables: dict[str, str]) -> None:
    before = dict(variables)
    reach_this_machine_directly()
    assert variables == before


def test_a_proxy_is_for_what_is_elsewhere_and_what_was_excepted_stays_so(variables: dict[str, str]) -> None:
    variables |= {
        "HTTPS_PROXY": "http://proxy:3128",
        "NO_PROXY": "intranet.example, 10.0.0.0/8",
        "AWS_ENDPOINT_URL": "http://s3:8333",
        "PREFECT_API_URL": "http://prefect.example/api",
    }
    reach_this_machine_directly()
    expected = ["intranet.example", "10.0.0.0/8", "localhost", "127.0.0.1", "::1", socket.gethostname(), "s3"]
    assert variables["NO_PROXY"].split(",") == expected
    assert variables["no_proxy"] == variables["NO_PROXY"]
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"
    assert "HTTP_PROXY" not in variables
    settled = dict(variables)
    reach_this_machine_directly()
    assert variables == settled


def test_all_proxy_becomes_what_every_library_reads(variables: dict[str, str]) -> None:
    variables["ALL_PROXY"] = "http://proxy:3128"
    reach_this_machine_directly()
    assert variables["http_proxy"] == variables["HTTPS_PROXY"] == "http://proxy:3128"
    assert "ALL_PROXY" not in variables


def test_a_socks_proxy_beside_others_is_not_used_and_alone_it_stays(variables: dict[str, str]) -> None:
    variables["all_proxy"] = "socks5://127.0.0.1:7890"
    reach_this_machine_directly()
    assert variables["all_proxy"] == "socks5://127.0.0.1:7890"
    variables |= {"HTTP_PROXY": "http://127.0.0.1:7890", "HTTPS_PROXY": "http://127.0.0.1:7890"}
    reach_this_machine_directly()
    assert "all_proxy" not in variables


def test_no_proxy_for_anything_stays_so(variables: dict[str, str]) -> None:
    variables |= {"HTTP_PROXY": "http://proxy:3128", "no_proxy": "*"}
    reach_this_machine_directly()
    assert variables["NO_PROXY"] == "*"


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.5", True),
        ("::1", True),
        ("s3", True),
        ("0.0.0.0", True),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("s3.example.org", False),
    ],
)
def test_an_address_of_this_machine_is_near_and_so_is_a_name_without_a_dot(host: str, near: bool) -> None:
    assert is_near(host) == near


REACH = """
import os, sys
from pathlib import Path
from stages.common.errors import run_stage
from stages.sources.download import fetch
from flows.worker import make_bucket  # as the worker's container does

def main():
    fetch([f"{sys.argv[1]}/here"], sys.argv[3], Path(sys.argv[4]) / "here")
    fetch(["http://outside.example/there"], sys.argv[3], Path(sys.argv[4]) / "there")
    os.environ |= {"AWS_ENDPOINT_URL": sys.argv[2], "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    make_bucket("bucket")
    os.environ["AWS_ENDPOINT_URL"] = "http://outside.example"
    make_bucket("bucket")

run_stage(main)
"""


@pytest.mark.parametrize("names", [("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), ("ALL_PROXY",)])
def test_a_server_of_this_machine_is_reached_directly_and_all_others_through_the_proxy(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with serving(Server()) as here, serving(Server()) as proxy:
        arguments = [here.url, here.url.replace("127.0.0.1", "localhost"), sha256(BODY).hexdigest(), str(tmp_path)]
        done = subprocess.run(
            [sys.executable, "-c", REACH, *arguments],
            cwd=ROOT,
            env=behind(proxy, *names),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert here.asked == ["GET /here", "HEAD /bucket"]
        assert proxy.asked == ["GET http://outside.example/there", "HEAD http://outside.example/bucket"]


def test_a_user_without_a_name_and_a_home_gets_a_folder_of_their_own(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        variables.pop(name, None)
    surroundings.have_a_home()
    home = Path.home()
    assert home == tmp_path / f"mintage-{os.getuid()}"
    assert home.stat().st_mode & 0o777 == 0o700
    assert getpass.getuser() == f"uid{os.getuid()}"
    surroundings.have_a_home()
    assert Path.home() == home


def test_a_folder_that_another_has_made_under_that_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"mintage-{os.getuid()}").symlink_to("elsewhere")
    assert surroundings.own_folder() not in (tmp_path / "elsewhere", tmp_path / f"mintage-{os.getuid()}")
