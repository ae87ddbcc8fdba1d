"""`python -m stages.releases COMMAND`: Publish models to a store; list, verify, fetch or remove them; move channels.

Exit codes: 0 done; 1 `verify` or `list` found damage, or (with --reproducible) that this clone cannot make it again, or
`recognize` does not know, or `detect` takes a picture for real;
2 bad input; 75 a temporary failure: network, busy store, a concurrent writer.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.common.errors import UserError, counted, run_stage
from stages.common.files import write_bytes
from stages.common.params import Upload, load_section
from stages.common.stage import Parser, confirm, explain_interrupt, interrupt_later, program
from stages.releases import catalog, channels
from stages.releases.about import About, about, about_each
from stages.releases.content import DIGITS, gather, require_committed
from stages.releases.manifest import Manifest, Release, fetched, release_in
from stages.releases.origin import Fact, origin, reproducible
from stages.releases.publish import publish, summary_of
from stages.releases.signing import Signer, is_signed, mark_to_sign, signature_in
from stages.releases.transfer import fetch, verify
from stages.stores import MANIFEST, Store, open_asked

Run = Callable[[argparse.Namespace], int]
"""A command, which returns its exit code."""
Add = Callable[..., argparse.Action]
"""Adds an argument to a command."""
DAMAGED = UNKNOWN = 1
_UNASKED = "do not ask first, as a terminal does"


def hours(text: str) -> float:
    found = float(text)
    if not found >= 0:  # also refuses NaN
        raise ValueError
    return found


def main() -> None:
    arguments = parser().parse_args()
    raise SystemExit(arguments.run(arguments))


def parser() -> argparse.ArgumentParser:
    top = Parser(program("stages.releases"), description=__doc__.split(":", 1)[1].strip())
    top.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Run, text: str, *, release: bool = False, as_json: bool = False) -> Add:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--url", help="file:FOLDER or s3://BUCKET/PREFIX (default: upload.url of params.yaml)")
        if release:
            added.add_argument("release", help="a channel, a release's id, or its first 4 digits or more")
        if as_json:
            added.add_argument("--json", action="store_true", help="for scripts")
        added.set_defaults(run=run)
        return added.add_argument

    add = command("publish", run_publish, "Send this checkout's outputs as a release; sent before, it is the same one.")
    add("--channel", default=channels.LATEST, help="the channel to point to it (default: %(default)s)")
    add("--force", action="store_true", help="also what was made with changes that are not committed")
    command("list", run_list, "List the releases, the newest first, and the channels.", as_json=True)
    holds = "Say what a release holds and what made it; of a channel, its history too."
    command("show", run_show, holds, release=True, as_json=True)
    whole = "Recompute every hash of a release; say what made it, and whether it can be made here."
    add = command("verify", run_verify, whole, release=True, as_json=True)
    add("--reproducible", action="store_true", help="exit code 1 where this clone cannot remake it")
    command("fetch", run_fetch, "Bring a release into a folder, verified.", release=True)("folder", type=Path)
    known = "Say which release made a file: by its mark, else a picture by its looks; and who signed it."
    add = command("recognize", run_recognize, known, as_json=True)
    add("file", type=Path, metavar="FILE")
    add("--trust", type=Path, metavar="PEM", help="the root certificates of those whose signatures you trust")
    signed = "Sign PNG, GIF and WAV files that Mintage made: a C2PA manifest in each names the model and its release."
    add = command("sign", run_sign, signed)
    add("files", nargs="+", type=Path, metavar="FILE")
    add("--certificate", type=Path, required=True, metavar="PEM", help="the signer's, then those up to the root")
    add("--key", type=Path, required=True, metavar="PEM", help="the certificate's private key, without a password")
    add("--authority", metavar="ADDRESS", help="of time stamps, with which signatures outlive the certificate")
    made = "Say whether a release's model made pictures, by the detector it carries."
    command("detect", run_detect, made, release=True, as_json=True)("files", nargs="+", type=Path, metavar="FILE")
    add = command("promote", run_promote, "Point a channel to a release.", release=True)
    add("channel")
    add("--expect", metavar="RELEASE", help="only where the channel points to this one now")
    add = command("rollback", run_rollback, "Point a channel to where it pointed before.")
    add("channel")
    add("--to", metavar="RELEASE", help="an earlier one of its history (default: the last)")
    gone = "Remove a release; one that a channel points to only with --force."
    add = command("delete", run_delete, gone, release=True)
    add("--force", action="store_true", help="also one that a channel points to")
    add("--yes", action="store_true", help=_UNASKED)
    add = command("gc", run_gc, "Remove what broken uploads left: parts, and files of no release.")
    add("--older-than", type=hours, default=24, metavar="HOURS", help="(default: %(default)s)")
    add("--dry-run", action="store_true", help="only say what")
    add("--yes", action="store_true", help=_UNASKED)
    return top


def run_publish(arguments: argparse.Namespace) -> int:
    files = gather()
    if not arguments.force:
        require_committed(files, known=load_section(Upload).uncommitted == "refuse")
    print(summary_of(*publish(open_asked(arguments.url), files, arguments.channel)))
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    store = _there(arguments)
    known, problems = channels.read_all(store)
    releases, pointers = catalog.listed(store, known), {channel.name: channel.release for channel in known}
    if problems:
        print("\n".join(problems), file=sys.stderr)
    known_of = about_each(store, releases)
    kinds = [known_of.get(summary.release, About()) for summary in releases]
    if arguments.json:
        rows = [{**asdict(summary), **asdict(kind)} for summary, kind in zip(releases, kinds, strict=True)]
        _as_json({"releases": rows, "channels": pointers, "problems": problems})
        return DAMAGED if problems else 0
    width = max((len(str(kind)) for kind in kinds), default=0)
    for summary, kind in zip(releases, kinds, strict=True):
        when = datetime.fromtimestamp(summary.published, UTC).strftime("%Y-%m-%d %H:%M")
        size = f"{summary.files:>5} files {summary.size / 1e6:>9.1f} MB"
        print(f"{summary.release}  {when}  {size}  {kind!s:{width}}  {' '.join(summary.channels)}".rstrip())
    there = {summary.release for summary in releases}
    for name, release in pointers.items():
        if release not in there:
            print(f"channel {name} points to {release}, which is gone: promote another", file=sys.stderr)
    return DAMAGED if problems else 0


def run_show(arguments: argparse.Namespace) -> int:
    store, release = _named(arguments)
    manifest, facts, what = release.manifest(), origin(release), about(release)
    is_channel = arguments.release in channels.names(store)
    history = list(channels.read_channel(store, arguments.release).history) if is_channel else []
    if arguments.json:
        described = {**_described(release, manifest, facts), **asdict(what)}
        return _as_json({**described, "history": history, "manifest": manifest.model_dump()})
    print(f"release {manifest.id[:DIGITS]}{f': {what}' if str(what) else ''} ({_address(release)})\n")
    print(_facts(facts))
    for step in history:
        print(
            f"{step.get('at') or 'earlier':<28} {step['action']:<9} {step['release']}  {step.get('by') or ''}".rstrip()
        )
    print("\n" + "\n".join(f"{file.size:>12,}  {file.sha256[:12]}  {file.path}" for file in manifest.files))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    _, release = _named(arguments)
    manifest, problems = verify(release)
    facts = origin(release)
    remade = reproducible(facts)
    if arguments.json:
        _as_json({**_described(release, manifest, facts), "problems": problems})
    else:
        print("\n".join(problems) or f"release {manifest.id[:DIGITS]}: all {len(manifest.files)} files are whole")
        print("\n" + _facts(facts))
        print(_colored("this clone can make it again" if remade else "this clone cannot make it again", remade))
    return DAMAGED if problems or (arguments.reproducible and not remade) else 0


def run_fetch(arguments: argparse.Namespace) -> int:
    _, release = _named(arguments)
    manifest = fetch(release, arguments.folder)
    print(f"release {release.name}: {len(manifest.files)} files, all verified, in {arguments.folder}")
    return 0


def run_recognize(arguments: argparse.Namespace) -> int:
    from stages.releases.recognition import recognize  # it needs Parquet, unlike all else here

    content = _read(arguments.file)
    signature = signature_in(content, arguments.trust)
    store = _there(arguments)
    channels_of = {summary.release: summary.channels for summary in catalog.listed(store, channels.read_all(store)[0])}
    found = recognize(content, [release_in(store, name) for name in channels_of], str(arguments.file))
    if arguments.json:
        _as_json(
            {
                "releases": found.releases,
                "why": found.why,
                "mark": found.mark and found.mark.texts(),
                "signature": signature and asdict(signature),
            }
        )
    else:
        for name in found.releases:
            pointing = f" ({', '.join(channels_of[name])})" if channels_of[name] else ""
            print(f"release {name}{pointing}: {found.why}")
        if not found.releases:
            print(f"unknown: {found.why}")
        if signature:
            print(signature)
    return 0 if found.releases else UNKNOWN


def run_sign(arguments: argparse.Namespace) -> int:
    from stages.releases.recognition import makers_of  # it needs Parquet

    contents = {path: _read(path) for path in arguments.files}
    marks = {path: mark_to_sign(content, path) for path, content in contents.items()}  # of all, before one is signed
    store, signer = open_asked(arguments.url), Signer(arguments.certificate, arguments.key, arguments.authority)
    known = [release_in(store, summary.release) for summary in catalog.listed(store, [])]
    makers = {mark.model: makers_of(mark.model, known) for mark in marks.values() if mark.model and not mark.release}
    unsigned = {path: content for path, content in contents.items() if not is_signed(content)}
    done: list[Path] = []
    with explain_interrupt(lambda: f"{counted(len(done), 'file')} signed; the same command again signs the rest"):
        for path, content in unsigned.items():
            releases = [mark.release] if (mark := marks[path]).release else makers.get(mark.model or "", [])
            with interrupt_later():  # within a file c2pa's callbacks would print it as a traceback, and swallow it
                write_bytes(path, signer.sign(content, mark, releases, path.name))
                done.append(path)
    before = len(contents) - len(unsigned)
    print(f"{counted(len(unsigned), 'file')} signed{f', {before} had a signature already' if before else ''}")
    return 0


def run_detect(arguments: argparse.Namespace) -> int:
    from stages.releases.detecting import detect  # it needs torch, unlike all else here

    folder = Path(arguments.release)
    address = str(folder) if (folder / "config.json").is_file() else _address(_named(arguments)[1])
    found, accuracy = detect(address, arguments.files)
    if arguments.json:
        _as_json({"files": [asdict(one) for one in found], "accuracy": accuracy and asdict(accuracy)})
    else:
        for one in found:
            print(f"{one.file}: taken for {'generated' if one.generated else 'real'} ({one.score:+.2f})")
        print(accuracy.sentence if accuracy else "Nobody measured how often it is right.")
    return 0 if all(one.generated for one in found) else UNKNOWN


def run_promote(arguments: argparse.Namespace) -> int:
    store, release = _named(arguments)
    expected = arguments.expect and catalog.find(store, arguments.expect).name
    moved = channels.promote(store, arguments.channel, release.manifest().id, expected)
    print(f"channel {arguments.channel} points to {release.name}{'' if moved else ', as before'}")
    _say_how_writers_are_kept_apart(store)
    return 0


def _say_how_writers_are_kept_apart(store: Store) -> None:
    if how := store.exclusion():
        print(f"writers are kept apart by {how}")


def run_rollback(arguments: argparse.Namespace) -> int:
    store = _there(arguments)
    to = arguments.to and catalog.find(store, arguments.to).name
    print(f"channel {arguments.channel} points to {channels.rollback(store, arguments.channel, to)} again")
    _say_how_writers_are_kept_apart(store)
    return 0


def run_delete(arguments: argparse.Namespace) -> int:
    store, release = _named(arguments)
    if not arguments.force:
        catalog.require_unused(store, release)
    entries = store.entries(f"{release.folder}/").values()
    held = f"{counted(len(entries), 'file')}, {sum(entry.size for entry in entries) / 1e6:.1f} MB"
    confirm(f"Remove release {release.name} ({held}) from {store.url} for good?", yes=arguments.yes)
    for channel in catalog.delete(store, release, arguments.force):
        again = f"{release.name} published again would be its release again"
        print(f"channel {channel} now points to nothing: promote another ({again})", file=sys.stderr)
    print(f"release {release.name} is deleted")
    return 0


def run_gc(arguments: argparse.Namespace) -> int:
    store = _there(arguments)
    found = list(catalog.leftovers(store, arguments.older_than))
    if found and not arguments.dry_run:
        confirm(f"Remove {', '.join(name for name, _ in found)} from {store.url} for good?", yes=arguments.yes)
    for name, keys in found:
        if not arguments.dry_run:
            catalog.remove_leftover(store, name, keys, arguments.older_than)
        print(f"{'would remove' if arguments.dry_run else 'removed'} {name}")
    print(f"{len(found)} leftovers older than {arguments.older_than:g} hours")
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError("picture-unreadable", f"{path} cannot be read ({error.strerror}): name a file") from None


def _there(arguments: argparse.Namespace) -> Store:
    """The store to read from, which must exist."""
    store = open_asked(arguments.url)
    store.require_there()
    return store


def _named(arguments: argparse.Namespace) -> tuple[Store, Release]:
    """The named release, in the store, or in a folder into which it was fetched."""
    folder = Path(arguments.release)
    if (folder / MANIFEST).is_file():
        release = fetched(folder)
        return release.store, release
    store = _there(arguments)
    return store, catalog.find(store, arguments.release)


def _address(release: Release) -> str:
    """The release, as `mintage.load` takes it."""
    return f"{release.store.url}/{release.folder}"


def _described(release: Release, manifest: Manifest, facts: list[Fact]) -> dict[str, Any]:
    made = {fact.what: {"recorded": fact.recorded, "held": fact.held} for fact in facts}
    return {"release": release.name, "id": manifest.id, "origin": made, "reproducible": reproducible(facts)}


def _facts(facts: list[Fact]) -> str:
    marks = {True: "yes", False: "NO", None: "-"}
    lines = [
        f"  {fact.what:<9} {_colored(f'{marks[fact.held]:<4}', fact.held)} {fact.recorded}: {fact.note}"
        for fact in facts
    ]
    return "\n".join(lines)


def _colored(text: str, good: bool | None) -> str:
    if good is None or not sys.stdout.isatty():
        return text
    return f"\033[{32 if good else 31}m{text}\033[0m"


def _as_json(value: Any) -> int:
    print(json.dumps(value, indent=2))
    return 0


if __name__ == "__main__":
    run_stage(main)
