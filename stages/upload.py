"""Publish a release: everything that a reader needs to trust, load and remake the selected generator.

Reads models/selected, models/onnx, samples, metrics, plots, reports, provenance, params.yaml, dvc.lock and the
constraints. Writes `releases/<release>/` and `channels/latest.json` in the store that `upload.url` names, and
published.json. An experiment (`dvc exp run`) publishes nothing, unless upload.publish says so: published.json is then
the receipt of the release before, with why this one is unpublished.
"""

from pathlib import Path
from typing import Any

from stages.common.errors import UserError, run_stage
from stages.common.experiment import experiment
from stages.common.files import read_json, write_json
from stages.common.params import load_params
from stages.common.receipt import RECEIPT, UNPUBLISHED, read_receipt
from stages.common.stage import parser_of
from stages.releases.content import FOLDERS, REPORTS, ROOT, VALIDATION, gather, require_committed
from stages.releases.publish import publish, summary_of
from stages.stores import open_store
from stages.stores.folder import FolderStore


def main() -> None:
    params = load_params().upload
    store = open_store(params.url)
    if isinstance(store, FolderStore):
        _refuse_inputs(store.root)
    if kept := why_not(params.publish):
        write_json(RECEIPT, (read_receipt(Path()) or {}) | {UNPUBLISHED: kept})
        print(f"not published yet: {kept}; `mintage releases publish` publishes it")
        return
    files = gather()
    if params.uncommitted != "mark":
        require_committed(files, known=params.uncommitted == "refuse")
    receipt, sent = publish(store, files)
    write_json(RECEIPT, receipt | _described())
    print(summary_of(receipt, sent))


def why_not(publish: str) -> str | None:
    """Why this run is not published, such as an experiment or one try of many, which others should not use; or None."""
    if publish == "never":
        return "upload.publish is never"
    if publish == "runs" and (name := experiment()):
        return f"this is the experiment {name}, and upload.publish is not always"
    return None


def _described() -> dict[str, Any]:
    """The gate's description of the data, so that it can compare later data with them, wherever the release is."""
    data = read_json(VALIDATION).get("data")
    return {} if data is None else {"data": data}


def _refuse_inputs(store: Path) -> None:
    """Refuse a store among the stage's inputs, which each release would change."""
    for folder in [*ROOT, *FOLDERS, REPORTS[0].parent]:
        if store.resolve().is_relative_to(folder.resolve()):
            raise UserError(
                "store-inside-outputs",
                f"params.yaml: upload.url is inside {folder}, which the release is made of: name another folder",
            )


if __name__ == "__main__":
    parser_of("stages.upload", __doc__).parse_args()
    run_stage(main)
