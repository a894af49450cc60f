"""Does with S3 what the artifacts commands of craycli do, with the Credentials
of a token service on standard input.

craycli.py BUCKET REGION     signs for REGION, which may be empty
craycli.py expired           prints the code that ListBuckets is refused with
"""

import hashlib
import json
import os
import sys
import tempfile

import boto3
import botocore
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1 << 20


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def connect(credentials, region):
    def client(name):
        return boto3.client(
            "s3",
            endpoint_url=credentials["EndpointURL"],
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=name,
        )

    if tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 27):
        return client(region)
    # Newer ones refuse regions like these before they send anything; their
    # requests are the same but for the name that they sign for.
    s3 = client("us-east-1")
    signer = s3._request_signer
    original = signer.get_auth_instance
    signer.get_auth_instance = lambda **arguments: original(**{**arguments, "region_name": region})
    return s3


def code_of(call):
    try:
        call()
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


def artifacts(s3, bucket):
    s3.create_bucket(Bucket=bucket)
    check("bucket in list", bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]], True)
    content = os.urandom(9 * MIB + 17)
    md5 = hashlib.md5(content).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        there, back = os.path.join(folder, "there"), os.path.join(folder, "back")
        with open(there, "wb") as f:
            f.write(content)
        # create: is it there, may it be written, then the file
        check("head before", code_of(lambda: s3.head_object(Bucket=bucket, Key="images/rootfs")), "404")
        s3.put_object(Bucket=bucket, Key="images/rootfs", ACL="public-read")
        check("size of the first", s3.head_object(Bucket=bucket, Key="images/rootfs")["ContentLength"], 0)
        s3.upload_file(there, bucket, "images/rootfs", ExtraArgs={"Metadata": {"md5sum": md5}}, Config=TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB))
        # describe
        head = s3.head_object(Bucket=bucket, Key="images/rootfs")
        check("size", head["ContentLength"], len(content))
        check("metadata", head["Metadata"], {"md5sum": md5})
        # get
        s3.download_file(bucket, "images/rootfs", back)
        with open(back, "rb") as f:
            check("content", hashlib.md5(f.read()).hexdigest(), md5)
    for i in range(3):
        s3.put_object(Bucket=bucket, Key=f"logs/{i}", Body=b"x" * i)
    # list, by the first version of the call and in pages
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    check("list", [(o["Key"], o["Size"]) for p in pages for o in p.get("Contents", [])], [("images/rootfs", len(content))] + [(f"logs/{i}", i) for i in range(3)])
    for key in ["images/rootfs"] + [f"logs/{i}" for i in range(3)]:
        s3.delete_object(Bucket=bucket, Key=key)
    check("after delete", s3.list_objects(Bucket=bucket).get("Contents", []), [])
    s3.delete_bucket(Bucket=bucket)


credentials = json.load(sys.stdin)
if sys.argv[1:] == ["expired"]:
    print(code_of(connect(credentials, "us-east-1").list_buckets))
else:
    artifacts(connect(credentials, sys.argv[2]), sys.argv[1])
