"""Channels: names that point to releases, each one JSON file with the history of where it pointed.

`release` and `id` are where it points now. `history` is a log, the newest last; a rollback is a new entry, so that the
log only grows.
"""

import getpass
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stages.common.errors import TemporaryError, UserError
from stages.releases.content import DIGITS, as_json
from stages.releases.manifest import release_in
from stages.stores import MANIFEST, Store

LATEST = "latest"
_PART = r"[a-z0-9][a-z0-9._-]{0,63}"
_NAME = rf"(?:{_PART}/)?{_PART}"
"""A channel's name, with at most one folder, such as `examples/` for the channels of examples."""
_TRIES = 10


class LostRaceError(TemporaryError):
    """Another writer moved the channel at the same time, or before."""


@dataclass(frozen=True)
class Channel:
    name: str
    content: bytes | None
    """Its file's content when it was read; None if there is no such channel yet."""
    history: tuple[dict[str, Any], ...]

    @property
    def release(self) -> str | None:
        return self.history[-1]["release"] if self.history else None

    def earlier(self) -> list[dict[str, Any]]:
        """The entries to which a rollback can go, the nearest last: each rollback removes the entry that it left."""
        stack: list[dict[str, Any]] = []
        for step in self.history:
            if step["action"] == "rollback":
                while stack and stack[-1]["release"] != step["release"]:
                    stack.pop()
            if not stack or stack[-1]["release"] != step["release"]:
                stack.append(step)
        return stack[:-1]


def key_of(name: str) -> str:
    """The key of a channel. Raises UserError if `name` is no valid name."""
    if not re.fullmatch(_NAME, name):
        raise UserError(
            "channel-name-invalid",
            f"{name!r} is no name for a channel: use small letters, digits and . _ -, as in production or a/b",
        )
    return f"channels/{name}.json"


def read_channel(store: Store, name: str) -> Channel:
    content = store.read(key_of(name))
    if content is None:
        return Channel(name, None, ())
    try:
        pointer = json.loads(content)
        now = {"release": pointer["release"], "id": pointer["id"]}
        history = pointer.get("history") or [{**now, "action": "publish", "at": None, "by": None}]
        if history[-1]["release"] != now["release"] or not all(_is_step(step) for step in history):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            "channel-damaged", f"{store.url}/{key_of(name)} is damaged: put back an earlier copy of it, or remove it"
        ) from None
    return Channel(name, content, tuple(history))


def _is_step(step: dict[str, Any]) -> bool:
    """Whether an entry of a history names a release, by 20 digits of its id, and what was done."""
    return "action" in step and re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", step["release"]) is not None and bool(step["id"])


def read_all(store: Store) -> tuple[list[Channel], list[str]]:
    """The channels of a store, and a sentence for each that is damaged, which hides no other."""
    found, problems = [], []
    for name in names(store):
        try:
            found.append(read_channel(store, name))
        except TemporaryError:
            raise
        except UserError as error:
            problems.append(f"channel {name}: {error}")
    return found, problems


def names(store: Store) -> list[str]:
    found = (re.fullmatch(rf"channels/({_NAME})\.json", key) for key in store.entries("channels/"))
    return sorted(match[1] for match in found if match)


def pointing_to(store: Store, release: str) -> list[str]:
    return [name for name in names(store) if read_channel(store, name).release == release]


def move(store: Store, channel: Channel, content_id: str, action: str) -> bool:
    """Point a channel, as it was read, to a release; False if it points there already.

    Raises LostRaceError, without a change, if the channel has changed since it was read.
    """
    release = content_id[:DIGITS]
    if channel.release == release:
        return False
    step = {"release": release, "id": content_id, "action": action, "at": _now(), "by": _user()}
    pointer = {"release": release, "id": content_id, "history": [*channel.history, step]}
    if not store.swap(key_of(channel.name), channel.content, as_json(pointer)):
        raise _lost(read_channel(store, channel.name))
    return True


def promote(store: Store, name: str, content_id: str, expect: str | None = None, action: str = "promote") -> bool:
    """Point a channel to an existing release; with `expect`, only if it points to that release now."""
    channel = read_channel(store, name)
    if expect is not None and channel.release != expect:
        raise _lost(channel)
    moved = move(store, channel, content_id, action)
    # `delete` removes the manifest before it checks the channels, so one of the two sees the other.
    if store.read(f"{release_in(store, content_id).folder}/{MANIFEST}") is None:
        if moved and channel.content is not None:
            store.swap(key_of(name), store.read(key_of(name)), channel.content)
        raise UserError(
            "release-deleted", f"release {content_id[:DIGITS]} was deleted meanwhile: publish it again, then promote it"
        )
    return moved


def point_latest(store: Store, name: str, content_id: str) -> bool:
    """Like `promote`, for publishers: the last one to finish wins."""
    for _ in range(_TRIES):
        try:
            return promote(store, name, content_id, action="publish")
        except LostRaceError:
            continue
    raise TemporaryError("channel-contended", f"channel {name} is being moved by others all the time: run again")


def rollback(store: Store, name: str, to: str | None = None) -> str:
    """Point a channel to the release before, or to the release `to` of its history; returns that release."""
    channel = read_channel(store, name)
    if channel.content is None:
        raise UserError("channel-unknown", f"there is no channel {name}: `list` names those that are there")
    there = [step for step in channel.earlier() if to is None or step["release"] == to]
    for step in reversed(there):
        if release_in(store, step["id"]).read(MANIFEST) is not None:
            move(store, channel, step["id"], "rollback")
            return str(step["release"])
    raise UserError(
        "channel-without-history",
        f"channel {name} has no earlier release {f'{to} ' if to else ''}that is still in the store: `promote` points "
        "it to any release",
    )


def _lost(channel: Channel) -> LostRaceError:
    last = channel.history[-1] if channel.history else {"release": "nothing"}
    by = f" by {last['by']}" if last.get("by") else ""
    return LostRaceError(
        "channel-moved",
        f"channel {channel.name} was moved to {last['release']}{by} meanwhile, and stays there: "
        f"look at it (`show {channel.name}`), then run again if yours is still wanted",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return None
