"""Two hosts, which here are two network namespaces with addresses of their own and a cable between."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMES = [f"mintage{os.getpid()}{end}" for end in "ab"]
ADDRESSES = ["10.251.7.1", "10.251.7.2"]


def on(host: int) -> list[str]:
    """How a command begins that is to run there."""
    return ["ip", "netns", "exec", NAMES[host]]


@contextmanager
def connected() -> Iterator[None]:
    """Both, for so long; a test that needs them is left out where none can be made."""
    if shutil.which("ip") is None or not _ip("netns", "add", NAMES[0]):
        pytest.skip("no network namespace can be made here")
    try:
        assert _ip("netns", "add", NAMES[1])
        ends = [("cable", "netns", NAMES[0]), ("cable", "netns", NAMES[1])]
        assert _ip("link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])
        for name, address in zip(NAMES, ADDRESSES, strict=True):
            assert _ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            assert _ip("-n", name, "link", "set", "cable", "up")
            assert _ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for name in NAMES:
            _ip("netns", "del", name)


def _ip(*arguments: str) -> bool:
    return not subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode
