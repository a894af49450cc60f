"""What Cray's own tools do with the token service, and with the keys it gives.

cray.py URL BUCKET   with a bearer token in the variable TOKEN
"""

import hashlib
import os
import sys
from datetime import datetime, timedelta, timezone

import boto3
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

MIB = 1 << 20


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def credentials(url):
    """As the libraries of docs-csm: a session that tries again, and one status that counts."""
    session = requests.Session()
    retry = Retry(total=3, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    response = session.put(f"{url}/apis/sts/token", headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
    check("status", response.status_code, 201)
    check("Content-Type", response.headers["Content-Type"], "application/json")
    found = response.json()["Credentials"]
    check("members", sorted(found), ["AccessKeyId", "EndpointURL", "Expiration", "SecretAccessKey", "SessionToken"])
    until = datetime.fromisoformat(found["Expiration"])
    check("Expiration", (found["Expiration"][-6:], len(found["Expiration"]), until.tzinfo), ("+00:00", 32, timezone.utc))
    left = until - datetime.now(timezone.utc)
    check(f"an hour, not {left}", timedelta(minutes=59) < left <= timedelta(hours=1, seconds=1), True)
    for kwargs in ({"json": {}}, {"data": ""}, {"json": {"DurationSeconds": 43200}}):
        again = session.put(f"{url}/apis/sts/token", headers={"Authorization": f"Bearer {os.environ['TOKEN']}", "Accept": "text/html"}, **kwargs)
        check(f"status with {kwargs}", again.status_code, 201)
    return found


def client(found, region):
    """Without a region botocore signs for us-east-1."""
    return boto3.client(
        "s3", endpoint_url=found["EndpointURL"], region_name=region, aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"], aws_session_token=found["SessionToken"],
    )


def main():
    url, bucket = sys.argv[1:]
    found = credentials(url)
    check("EndpointURL", found["EndpointURL"], url)
    s3 = client(found, None)
    s3.create_bucket(Bucket=bucket)
    check("buckets", bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]], True)

    # cray artifacts create: an empty object that all may read, then the file.
    data = os.urandom(9 * MIB)
    md5 = hashlib.md5(data).hexdigest()
    with open("artifact", "wb") as f:
        f.write(data)
    s3.put_object(Bucket=bucket, Key="boot/initrd", ACL="public-read", Body=b"")
    check("empty", s3.head_object(Bucket=bucket, Key="boot/initrd")["ContentLength"], 0)
    s3.put_object(Bucket=bucket, Key="boot/none", ACL="public-read")
    s3.upload_file("artifact", bucket, "boot/initrd", ExtraArgs={"Metadata": {"md5sum": md5}})
    head = s3.head_object(Bucket=bucket, Key="boot/initrd")
    check("head", (head["ContentLength"], head["Metadata"]), (len(data), {"md5sum": md5}))
    s3.download_file(bucket, "boot/initrd", "back")
    with open("back", "rb") as f:
        check("download", hashlib.md5(f.read()).hexdigest(), md5)

    want = ["boot/initrd", "boot/none"]
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    check("V1", [o["Key"] for p in pages for o in p.get("Contents", [])], want)
    check("V2", [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]], want)
    for region in ("default", "us-west-2"):
        check(region, [o["Key"] for o in client(found, region).list_objects_v2(Bucket=bucket)["Contents"]], want)
    for key in want:
        s3.delete_object(Bucket=bucket, Key=key)
    check("left", s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
    s3.delete_bucket(Bucket=bucket)


main()
