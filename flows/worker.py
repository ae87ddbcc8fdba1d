"""What the worker's container runs: sees to what runs need, and to the bucket, then works as `make serve` does."""

import os
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from flows.container import check_engine
from flows.graph import load_graph
from stages.common.errors import run_stage
from stages.common.s3_errors import sentences
from stages.common.stage import parser_of


def main() -> None:
    parser_of("flows.worker", __doc__).parse_args()
    check_engine(load_graph(Path.cwd()).values())
    make_bucket(os.environ["MINTAGE_S3_BUCKET"])
    os.execv(sys.executable, [sys.executable, "-m", "flows.serve", "--health"])


def make_bucket(name: str) -> None:
    """Make the bucket, if it does not exist, in the store of the AWS settings in the environment.

    Raises UserError if the store cannot be reached, or refuses.
    """
    with sentences(f"s3://{name}"):
        client = boto3.session.Session().client("s3")
        try:
            client.head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            region = client.meta.region_name
            place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.create_bucket(Bucket=name, **({} if region == "us-east-1" else place))
            print(f"made the bucket {name}")


if __name__ == "__main__":
    run_stage(main)
