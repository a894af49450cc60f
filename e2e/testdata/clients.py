"""Drives a server with boto3. Endpoint and keys come from the environment.

clients.py objects BUCKET   everything a session does with objects
clients.py calls            one JSON list of calls in, one of answers and error codes out
"""

import datetime
import hashlib
import io
import json
import os
import sys
import urllib.error
import urllib.request
import ssl

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1 << 20

UNUSUAL = [
    "plain",
    "with blank",
    "plus+equals=and&question?hash#percent%",
    "percent%41twice%2541",
    "a%2Fb",
    "quotes'\"<>`",
    "star*(round)[square]{curly}!~",
    "colon:at@semi;comma,dollar$pipe|caret^",
    "back\\slash",
    "zoë/漢字/🙂",
    "e\u0301 decomposed",
    "...three dots",
    "deep/" * 20 + "key",
    "directory/",
    "n" * 255,
    " leading and trailing ",
    "auth/realms/root-accounts/protocol/openid-connect/token",
]

# Keys that a store which makes paths of keys would take for others'. With
# OPAQUE_KEYS set the store keeps them; otherwise they are refused.
PATHS = ["a/../b", "../b", "a/./b", "a//b", "/a", "./x", "x//", "trailing/", "a/b", "b", "a", "x"]
REFUSED = ["a/../b", "../b", "a/./b", "a//b", "/a", "./x", "x//"]
OPAQUE = "OPAQUE_KEYS" in os.environ


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")


def code_of(call):
    """The error code of a call, "" when it succeeds."""
    try:
        call()
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


def fetch(url, method="GET", data=None, headers=None):
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE")) if url.startswith("https") else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=context) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def objects(bucket):
    # With an endpoint of its own, boto3 puts the bucket into the host only when told to.
    style = {"addressing_style": os.environ.get("ADDRESSING_STYLE", "auto")}
    s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3=style))
    s3.create_bucket(Bucket=bucket)
    check("bucket in list", bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]], True)
    check("head bucket", s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"], 200)
    simple(s3, bucket)
    habits(s3, bucket)
    unusual(s3, bucket)
    paths(s3, bucket)
    listing(s3, bucket)
    multipart(s3, bucket)
    presigned(s3, bucket)
    check("no such key", code_of(lambda: s3.get_object(Bucket=bucket, Key="none")), "NoSuchKey")
    check("no such bucket", code_of(lambda: s3.list_objects_v2(Bucket="none-" + bucket)), "NoSuchBucket")
    check("bucket not empty", code_of(lambda: s3.delete_bucket(Bucket=bucket)), "BucketNotEmpty")
    keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for o in page.get("Contents", [])]
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    check("deleted", sorted(d["Key"] for d in gone["Deleted"]), sorted(keys))
    s3.delete_bucket(Bucket=bucket)


def simple(s3, bucket):
    body = b"0123456789" * 10
    s3.put_object(Bucket=bucket, Key="simple", Body=body, ContentType="text/x-test", Metadata={"colour": "blue", "two": "a  b"},
                  CacheControl="max-age=60")
    got = s3.get_object(Bucket=bucket, Key="simple")
    check("body", got["Body"].read(), body)
    for name, want in {"ContentType": "text/x-test", "ContentLength": 100, "CacheControl": "max-age=60"}.items():
        check(name, got[name], want)
    check("metadata", got["Metadata"].get("colour"), "blue")
    head = s3.head_object(Bucket=bucket, Key="simple")
    check("head", (head["ContentLength"], head["ETag"]), (100, got["ETag"]))
    for ask, want in {"bytes=5-9": body[5:10], "bytes=-5": body[-5:], "bytes=95-": body[95:]}.items():
        part = s3.get_object(Bucket=bucket, Key="simple", Range=ask)
        check("status of " + ask, part["ResponseMetadata"]["HTTPStatusCode"], 206)
        check(ask, part["Body"].read(), want)
    check("beyond the end", code_of(lambda: s3.get_object(Bucket=bucket, Key="simple", Range="bytes=200-300")), "InvalidRange")
    check("not modified", code_of(lambda: s3.get_object(Bucket=bucket, Key="simple", IfNoneMatch=got["ETag"])), "304")
    check("precondition", code_of(lambda: s3.get_object(Bucket=bucket, Key="simple", IfMatch='"other"')), "PreconditionFailed")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "simple"})
    copied = s3.get_object(Bucket=bucket, Key="copy")
    check("copy", (copied["Body"].read(), copied["ContentType"]), (body, "text/x-test"))
    s3.copy_object(Bucket=bucket, Key="copy2", CopySource={"Bucket": bucket, "Key": "simple"}, MetadataDirective="REPLACE",
                   Metadata={"colour": "red"})
    check("replaced", s3.head_object(Bucket=bucket, Key="copy2")["Metadata"], {"colour": "red"})
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    check("empty", s3.get_object(Bucket=bucket, Key="empty")["Body"].read(), b"")
    s3.delete_object(Bucket=bucket, Key="copy2")
    check("deleted", code_of(lambda: s3.head_object(Bucket=bucket, Key="copy2")), "404")
    s3.delete_object(Bucket=bucket, Key="copy2")


def unusual(s3, bucket):
    for key in UNUSUAL:
        body = b"" if key.endswith("/") else key.encode()
        s3.put_object(Bucket=bucket, Key="u/" + key, Body=body)
        check(key, s3.get_object(Bucket=bucket, Key="u/" + key)["Body"].read(), body)
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="u/")["Contents"]]
    check("listed", sorted(listed), sorted("u/" + k for k in UNUSUAL))
    source = "u/plus+equals=and&question?hash#percent%"
    s3.copy_object(Bucket=bucket, Key="u/copied ü", CopySource={"Bucket": bucket, "Key": source})
    check("copied", s3.get_object(Bucket=bucket, Key="u/copied ü")["Body"].read(), source[2:].encode())
    s3.delete_object(Bucket=bucket, Key="u/copied ü")


def habits(s3, bucket):
    """What old clients do: regions of their own, ACLs and no content."""
    for region in ["us-east-1", "default", "eu-north-9", "RegionOne"]:
        odd = boto3.client("s3", region_name=region, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        odd.put_object(Bucket=bucket, Key="odd", Body=region.encode())
        check("in " + region, odd.get_object(Bucket=bucket, Key="odd")["Body"].read(), region.encode())
    # craycli creates an artifact so, and then uploads it with its digest.
    s3.put_object(Bucket=bucket, Key="artifact", ACL="public-read", Body=b"")
    s3.upload_fileobj(io.BytesIO(b"artifact"), bucket, "artifact", ExtraArgs={"Metadata": {"md5sum": "8e5b948a454515dbabfc7eb718daa52f"}})
    head = s3.head_object(Bucket=bucket, Key="artifact")
    check("artifact", (head["ContentLength"], head["Metadata"]), (8, {"md5sum": "8e5b948a454515dbabfc7eb718daa52f"}))
    anonymous = s3.meta.endpoint_url + "/" + bucket + "/artifact"
    check("public to nobody", fetch(anonymous)[0], 403)
    s3.delete_object(Bucket=bucket, Key="odd")


def paths(s3, bucket):
    if OPAQUE:
        for key in PATHS:
            s3.put_object(Bucket=bucket, Key=key, Body=b"of " + key.encode())
        for key in PATHS:
            check(key, s3.get_object(Bucket=bucket, Key=key)["Body"].read(), b"of " + key.encode())
        listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        check("paths", sorted(set(PATHS) & set(listed)), sorted(PATHS))
        s3.copy_object(Bucket=bucket, Key="p/../copied", CopySource={"Bucket": bucket, "Key": "a//b"})
        check("copied path", s3.get_object(Bucket=bucket, Key="p/../copied")["Body"].read(), b"of a//b")
        gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in [*REFUSED, "p/../copied"]]})
        check("deleted paths", sorted(d["Key"] for d in gone["Deleted"]), sorted([*REFUSED, "p/../copied"]))
        check("the others", s3.get_object(Bucket=bucket, Key="a/b")["Body"].read(), b"of a/b")
        return
    for key in REFUSED:
        check("put " + key, code_of(lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x")), "InvalidArgument")
        check("get " + key, code_of(lambda: s3.get_object(Bucket=bucket, Key=key)), "InvalidArgument")


def listing(s3, bucket):
    names = [f"list/{d}/{i}" for d in "abc" for i in range(5)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    for version, token, answer in (("list_objects", "Marker", "NextMarker"), ("list_objects_v2", "ContinuationToken", "NextContinuationToken")):
        call = getattr(s3, version)
        got, more = [], {}
        while True:
            page = call(Bucket=bucket, Prefix="list/", MaxKeys=4, **more)
            got += [o["Key"] for o in page["Contents"]]
            if not page["IsTruncated"]:
                break
            more = {token: page.get(answer) or page["Contents"][-1]["Key"]}
        check(version, got, names)
        page = call(Bucket=bucket, Prefix="list/", Delimiter="/")
        check(version + " by directory", [p["Prefix"] for p in page["CommonPrefixes"]], ["list/a/", "list/b/", "list/c/"])


def multipart(s3, bucket):
    data = hashlib.shake_256(b"twenty").digest(20 * MIB)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=2)
    s3.upload_fileobj(io.BytesIO(data), bucket, "large", Config=config)
    head = s3.head_object(Bucket=bucket, Key="large")
    check("size", head["ContentLength"], len(data))
    check("parts", head["ETag"].strip('"').split("-")[1:], ["3"])
    out = io.BytesIO()
    s3.download_fileobj(bucket, "large", out, Config=config)
    check("large", hashlib.sha256(out.getvalue()).hexdigest(), hashlib.sha256(data).hexdigest())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="never", UploadId=upload, PartNumber=1, Body=b"x" * 5 * MIB)
    check("uploads", [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])], [upload])
    check("parts", [p["Size"] for p in s3.list_parts(Bucket=bucket, Key="never", UploadId=upload)["Parts"]], [5 * MIB])
    s3.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=upload)
    check("never completed", code_of(lambda: s3.head_object(Bucket=bucket, Key="never")), "404")


def presigned(s3, bucket):
    key = "presigned/with blank+plus ü"
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
    check("presigned put", fetch(put, "PUT", b"by URL")[0], 200)
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=604800)
    check("presigned get", fetch(get), (200, b"by URL"))
    check("presigned range", fetch(get, headers={"Range": "bytes=3-5"}), (206, b"URL"))
    status, body = fetch(get.replace("presigned/", "other/"))
    check("another key", (status, b"<Code>SignatureDoesNotMatch</Code>" in body), (403, True))
    old = boto3.client("s3", config=Config(signature_version="s3")).generate_presigned_url("get_object", {"Bucket": bucket, "Key": key})
    status, body = fetch(old)
    check("SigV2", (status, b"<Code>InvalidRequest</Code>" in body, b"s3v4" in body), (400, True, True))


def calls():
    """Makes the calls it is given, each by {keys, service, call, with}."""
    session, clients, out = boto3.Session(), {}, []
    for job in json.load(sys.stdin):
        keys = job["keys"]
        name = (job["service"], json.dumps(keys))
        if name not in clients:
            clients[name] = session.client(
                job["service"],
                aws_access_key_id=keys.get("AccessKeyId") or None,
                aws_secret_access_key=keys.get("SecretAccessKey") or None,
                aws_session_token=keys.get("SessionToken") or None,
            )
        try:
            answer = getattr(clients[name], job["call"])(**job.get("with") or {})
            meta = answer.pop("ResponseMetadata")
            if "Body" in answer:
                answer["Body"] = answer["Body"].read().decode()
            out.append({"code": "", "status": meta["HTTPStatusCode"], "answer": answer})
        except ClientError as e:
            out.append({"code": e.response["Error"]["Code"], "status": e.response["ResponseMetadata"]["HTTPStatusCode"], "message": str(e)})
    print(json.dumps(out, default=str))


if __name__ == "__main__":
    {"objects": objects, "calls": calls}[sys.argv[1]](*sys.argv[2:])
