"""`make env`: write .env, the settings and secrets of docker-compose.yml. One that is there is never touched."""

import os
import secrets
from pathlib import Path

from stages.common.errors import UserError, run_stage
from stages.common.stage import parser_of

SOCKET = Path("/var/run/docker.sock")
TEMPLATE = """\
# Settings and secrets of docker-compose.yml, written by `make env`; not for git. Keep it as long as the volumes:
# PostgreSQL has had its password since its first start.

# s3: the S3 store that comes along; cpu or gpu: on what the worker's stages run (gpu needs `make images-cuda`).
COMPOSE_PROFILES=s3,cpu

# This checkout, which has the same path inside the worker, and whose user runs it.
MINTAGE_WORKSPACE={workspace}
MINTAGE_UID={uid}
MINTAGE_GID={gid}

# The Docker engine that runs the stages, and the group that may use it (0 with Docker Desktop).
MINTAGE_DOCKER_SOCKET={socket}
MINTAGE_DOCKER_GID={docker_gid}

# Prefect's pages at http://127.0.0.1:4200 ask for mintage:PASSWORD.
MINTAGE_PREFECT_PASSWORD={prefect}
MINTAGE_POSTGRES_PASSWORD={postgres}

# Releases go to this bucket, which is made where it is missing.
MINTAGE_S3_BUCKET=mintage
MINTAGE_S3_ACCESS_KEY={access_key}
MINTAGE_S3_SECRET_KEY={secret_key}
# Another store: its keys above, no `s3` in the profiles, and
#MINTAGE_S3_ENDPOINT=https://s3.eu-west-1.amazonaws.com
#MINTAGE_S3_REGION=eu-west-1

# Where Prefect and the store listen, on this machine alone.
#MINTAGE_PREFECT_PORT=4200
#MINTAGE_S3_PORT=8333

# A JSON POST on each failure and each new release.
#MINTAGE_WEBHOOK=https://example.org/hook
"""


def write_environment(workspace: Path, socket: Path) -> Path:
    """Write `.env` into the workspace, readable by the caller alone, with new random secrets; returns its path.

    Raises UserError if it exists, if there is no Docker socket, and if git's repository is outside the workspace.
    """
    path = workspace / ".env"
    if (workspace / ".git").is_file():
        raise UserError(
            "worktree-not-supported",
            f"{workspace} is a git worktree, whose repository the worker would not see: use the checkout",
        )
    try:
        content = TEMPLATE.format(**settings(workspace, socket))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
    except FileExistsError:
        raise UserError(
            "environment-exists", f"{path} is there, and the volumes may know its passwords: edit it, or remove both"
        ) from None
    return path


def settings(workspace: Path, socket: Path) -> dict[str, str | int]:
    """The template's values; secrets are new in each call."""
    if not socket.is_socket():
        raise UserError(
            "docker-socket-missing",
            f"there is no Docker socket at {socket}: start Docker, or set DOCKER_HOST=unix://PATH",
        )
    return {
        "workspace": _quoted(workspace),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "socket": _quoted(socket),
        "docker_gid": socket.stat().st_gid,
        "prefect": secrets.token_hex(16),
        "postgres": secrets.token_hex(16),
        "access_key": secrets.token_hex(10),
        "secret_key": secrets.token_hex(20),
    }


def _quoted(path: Path) -> str:
    """A path in single quotes, with those in it escaped, which Compose reads literally."""
    return "'" + str(path).replace("'", "\\'") + "'"


def _socket() -> Path:
    host = os.environ.get("DOCKER_HOST", f"unix://{SOCKET}")
    if not host.startswith("unix://"):
        raise UserError(
            "docker-host-remote", f"DOCKER_HOST is {host}: the worker needs an engine on this machine, with a socket"
        )
    return Path(host.removeprefix("unix://"))


def main() -> None:
    parser_of("flows.environment", __doc__).parse_args()
    path = write_environment(Path.cwd(), _socket())
    print(f"{path}: random passwords, for you alone to read")


if __name__ == "__main__":
    run_stage(main)
