"""Set where this project's data and models are kept for all who work on it (`make remote`); `make pull` brings them.

`python -m stages.remote add URL` writes the address, endpoint and region into .dvc/config, which is for git; keys
stay in the environment (or the ignored .dvc/config.local). `python -m stages.remote adopt`, after a pull, lets the
next training go on from the checkpoints that came.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from stages.common.dvc import run_dvc
from stages.common.errors import UserError, run_stage
from stages.common.stage import parser_of
from stages.stores import GIVEN
from stages.stores.folder import FolderStore

NAME = "shared"
CHECKPOINTS, GRIDS, RESUME = Path("models/checkpoints"), Path("plots/training"), Path(".resume")


def main() -> None:
    parser = parser_of("stages.remote", __doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    added = commands.add_parser("add", help="make URL the DVC remote of this project")
    added.add_argument("url", help="s3://BUCKET/PREFIX (endpoint and region from AWS_*), or a folder")
    added.set_defaults(run=lambda arguments: add(arguments.url))
    adopted = commands.add_parser("adopt", help="let training go on from models/checkpoints")
    adopted.set_defaults(run=lambda arguments: adopt_checkpoints())
    arguments = parser.parse_args()
    arguments.run(arguments)


def add(url: str) -> None:
    """Write the remote; `file:FOLDER`, as of a store, is that folder.

    Raises UserError if the URL or the endpoint has a user, a password or more than an address.
    """
    if not url.removeprefix("file:").strip("/"):
        raise UserError("remote-missing", "which store? make remote URL=s3://BUCKET/PREFIX (or a folder)")
    if url.startswith("file:"):  # DVC would take it for the name of a folder
        url = str(FolderStore(url, GIVEN).root)
    settings = bucket_settings() if url.startswith("s3://") else {}
    if "://" in url and not re.fullmatch(r"s3://[A-Za-z0-9._-]+(/[\w.!*'()/ -]*)?", url):
        raise UserError(
            "remote-url-invalid",
            "the URL must be s3://BUCKET/PREFIX or a folder, without keys, which the environment holds",
        )
    run_dvc("remote", "add", "--default", "--force", NAME, url)
    for option, value in settings.items():
        run_dvc("remote", "modify", NAME, option, value)
    print(f"{url} is the DVC remote of this project: git add .dvc/config && git commit")
    print("send: dvc push --run-cache; a colleague: git pull && make pull")


def bucket_settings() -> dict[str, str]:
    """DVC's options for the endpoint and the region that the environment names."""
    found = {}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise UserError(
                "aws-settings-invalid", "AWS_ENDPOINT_URL must be http(s)://HOST:PORT, without a user or a password"
            )
        found["endpointurl"] = endpoint
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        found["region"] = region
    return found


def adopt_checkpoints() -> None:
    """Let a longer training with the same params resume from the last of the pulled checkpoints."""
    from stages.common.resume import adopt  # which imports torch

    if last := adopt(RESUME, CHECKPOINTS, GRIDS):
        print(f"training can go on from {last:,} images: raise train.images")


if __name__ == "__main__":
    run_stage(main)
