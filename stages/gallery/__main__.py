"""Build a static site of a store's releases and channels, in a folder that any browser opens.

A later build reads and writes only what has changed. A damaged release is named and left out.
"""

import argparse
import sys
from pathlib import Path

from stages.common.errors import counted, run_stage
from stages.common.stage import parser_of
from stages.examples import load_all
from stages.gallery.runtime import ARCHIVE
from stages.gallery.site import Explorers, build
from stages.stores import open_asked


def main() -> None:
    arguments = _arguments()
    store = open_asked(arguments.url)
    store.require_there()
    explorers = Explorers(wanted=not arguments.no_explorer, archive=arguments.runtime)
    built = build(store, arguments.out, load_all(arguments.examples), arguments.title, explorers)
    for problem in built.left_out:
        print(f"left out: {problem}", file=sys.stderr)
    if built.unexplored is not None:
        print(f"note: {built.unexplored}", file=sys.stderr)
    print(
        f"gallery: {counted(built.releases, 'release')} ({built.written} read and written, {built.removed} removed), "
        f"{counted(built.channels, 'channel')}: {arguments.out / 'index.html'}"
    )


def _arguments() -> argparse.Namespace:
    parser = parser_of("stages.gallery", __doc__)
    parser.add_argument("--url", help="file:FOLDER or s3://BUCKET/PREFIX (default: upload.url of params.yaml)")
    parser.add_argument("--out", type=Path, default=Path("gallery"), help="the site's folder (default: %(default)s)")
    parser.add_argument("--title", default="Gallery", help="heading of the site (default: %(default)s)")
    parser.add_argument(
        "--examples", type=Path, default=Path("examples"), help="whose texts the museum shows (default: %(default)s)"
    )
    parser.add_argument("--no-explorer", action="store_true", help="leave out what runs generators in the browser")
    parser.add_argument("--runtime", type=Path, metavar="FILE", help=f"{ARCHIVE} of npm, where npm is not installed")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
