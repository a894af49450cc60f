"""Does with boto3 every operation of the table of S3 clients.

s3ops.py BUCKET LARGE-FILE   prints {"version": …, "ops": {operation: what went wrong, "" for nothing}}
"""

import hashlib
import json
import os
import ssl
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

SMALL = b"what the object says\n"
BUCKET, LARGE = sys.argv[1:3]
MIB = 1 << 20

s3 = boto3.client("s3", config=Config(signature_version="s3v4"))


def check(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def fetch(url, method="GET", data=None, headers=None):
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=context) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        raise AssertionError(f"{method} of {url.split('?')[0]}: {e.code} {e.read().decode()}") from e


def body(key, **more):
    return s3.get_object(Bucket=more.pop("Bucket", BUCKET), Key=key, **more)["Body"].read()


def make():
    s3.create_bucket(Bucket=BUCKET)


def put():
    s3.put_object(Bucket=BUCKET, Key="dir/small", Body=SMALL)
    check("small", body("dir/small"), SMALL)


def large():
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(LARGE, BUCKET, "large", Config=config)
    s3.download_file(BUCKET, "large", "large.back", Config=config)
    with open(LARGE, "rb") as a, open("large.back", "rb") as b:
        check("large", hashlib.file_digest(b, "sha256").hexdigest(), hashlib.file_digest(a, "sha256").hexdigest())


def checksums():
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        sent = s3.put_object(Bucket=BUCKET, Key="sum", Body=SMALL, ChecksumAlgorithm=algorithm)
        head = s3.head_object(Bucket=BUCKET, Key="sum", ChecksumMode="ENABLED")
        check(algorithm, head["Checksum" + algorithm], sent["Checksum" + algorithm])


def list_v1():
    check("V1", [o["Key"] for o in s3.list_objects(Bucket=BUCKET, Prefix="dir/")["Contents"]], ["dir/small"])
    check("V1 prefixes", [p["Prefix"] for p in s3.list_objects(Bucket=BUCKET, Delimiter="/")["CommonPrefixes"]], ["dir/"])


def list_v2():
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1})
    check("V2", [o["Key"] for p in pages for o in p["Contents"]], ["dir/small", "large", "sum"])


def part():
    check("range", body("dir/small", Range="bytes=5-7"), SMALL[5:8])


def copy():
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource={"Bucket": BUCKET, "Key": "dir/small"})
    check("copy", body("copied"), SMALL)


def get_url():
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "dir/small", "ResponseContentType": "text/x-test"})
    check("presigned get", fetch(url)[1], SMALL)


def put_url():
    fetch(s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "by URL"}), "PUT", b"by URL")
    check("presigned put", body("by URL"), b"by URL")


def code_of(call):
    try:
        call()
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


def absent():
    s3.put_object(Bucket=BUCKET, Key="once", Body=SMALL, IfNoneMatch="*")
    check("again", code_of(lambda: s3.put_object(Bucket=BUCKET, Key="once", Body=b"other", IfNoneMatch="*")), "PreconditionFailed")
    check("kept", body("once"), SMALL)


def unchanged():
    tag = s3.head_object(Bucket=BUCKET, Key="once")["ETag"]
    other = '"00000000000000000000000000000000"'
    check("changed", code_of(lambda: s3.put_object(Bucket=BUCKET, Key="once", Body=b"other", IfMatch=other)), "PreconditionFailed")
    check("kept", body("once"), SMALL)
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"other", IfMatch=tag)
    check("replaced", body("once"), b"other")


def form():
    post = s3.generate_presigned_post(BUCKET, "form/${filename}", Fields={"x-amz-meta-colour": "blue"}, Conditions=[{"x-amz-meta-colour": "blue"}])
    boundary = "b0undary"
    lines = []
    for name, value in post["fields"].items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    lines += [f"--{boundary}", 'Content-Disposition: form-data; name="file"; filename="a b.txt"', "Content-Type: text/plain", "", SMALL.decode()]
    data = "\r\n".join([*lines, f"--{boundary}--", ""]).encode()
    fetch(post["url"], "POST", data, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    got = s3.get_object(Bucket=BUCKET, Key="form/a b.txt")
    check("form", (got["Body"].read(), got["Metadata"]), (SMALL, {"colour": "blue"}))


def tags():
    want = [{"Key": "colour", "Value": "blue"}]
    s3.put_object_tagging(Bucket=BUCKET, Key="dir/small", Tagging={"TagSet": want})
    check("tags", s3.get_object_tagging(Bucket=BUCKET, Key="dir/small")["TagSet"], want)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": want})
    check("tags of the bucket", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], want)


def versions():
    v = BUCKET + "-v"
    s3.create_bucket(Bucket=v)
    s3.put_bucket_versioning(Bucket=v, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=v, Key="k", Body=SMALL)["VersionId"]
    s3.put_object(Bucket=v, Key="k", Body=b"other")
    check("version", body("k", Bucket=v, VersionId=first), SMALL)
    s3.delete_object(Bucket=v, Key="k")
    listed = s3.list_object_versions(Bucket=v)
    check("versions", (len(listed["Versions"]), len(listed["DeleteMarkers"])), (2, 1))


def lock():
    name = BUCKET + "-l"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    held = {"Bucket": name, "Key": "k", "VersionId": s3.put_object(Bucket=name, Key="k", Body=SMALL)["VersionId"]}
    s3.put_object_retention(**held, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": "2099-01-01T00:00:00Z"})
    check("mode", s3.get_object_retention(**held)["Retention"]["Mode"], "GOVERNANCE")
    try:
        s3.delete_object(**held)
        raise AssertionError("a locked version was deleted")
    except ClientError as e:
        check("locked", e.response["Error"]["Code"], "AccessDenied")
    for status in ["ON", "OFF"]:
        s3.put_object_legal_hold(**held, LegalHold={"Status": status})
        check("hold", s3.get_object_legal_hold(**held)["LegalHold"]["Status"], status)
    s3.delete_object(**held, BypassGovernanceRetention=True)


def delete():
    s3.delete_object(Bucket=BUCKET, Key="copied")


def many():
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": k} for k in keys]})
    check("deleted", sorted(d["Key"] for d in gone["Deleted"]), sorted(keys))


def remove():
    s3.delete_bucket(Bucket=BUCKET)


OPERATIONS = {
    "make a bucket": make, "put and get, small": put, "put and get, large": large, "checksums of its own": checksums, "list, V1": list_v1,
    "list, V2": list_v2, "get a range": part, "copy": copy, "presigned get": get_url, "presigned put": put_url,
    "put if absent": absent, "put if unchanged": unchanged, "POST form": form,
    "tags": tags, "versions": versions, "lock and legal hold": lock, "delete": delete, "delete many at once": many,
    "remove the bucket": remove,
}

results = {}
for name, operation in OPERATIONS.items():
    try:
        operation()
        results[name] = ""
    except Exception as e:
        results[name] = f"{type(e).__name__}: {e}"
print(json.dumps({"version": boto3.__version__, "ops": results}))
