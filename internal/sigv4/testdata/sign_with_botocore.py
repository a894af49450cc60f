"""Writes botocore.json: requests signed by botocore, with a fixed clock.

Run it with a Python that has botocore: python3 sign_with_botocore.py > botocore.json
"""

import datetime
import json
import sys
from unittest import mock

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)
KEY, SECRET, TOKEN = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoG/+ZXIv=YXdzEBYaDK0=="

PATHS = [
    "/",
    "/bucket/plain",
    "/bucket/a%20key",
    "/bucket/a%2Fb",
    "/bucket//double//slash/",
    "/bucket/./dot/../dots",
    "/bucket/plus%2Bequals%3Dand%26",
    "/bucket/%E1%88%B4/%F0%9F%98%80",
    "/bucket/tilde~star%2Aparen%28%29",
    "/bucket/percent%2520twice",
    "/bucket/quote%27%22%3B%3A%40%24%2C",
]
QUERIES = [
    "",
    "list-type=2&prefix=x&delimiter=%2F",
    "uploads",
    "b=2&a=1&a=0&a=",
    "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
    "prefix=a%20b%2Bc%3Dd%26e%3Bf",
    "tagging=&versionId=null",
    "key=%F0%9F%98%80&marker=~%2A%28%29",
]


def sign(name, cls, service, method, url, headers=None, body=b"", token=None, context=None, **kwargs):
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    request.context.update(context or {})
    signer = cls(Credentials(KEY, SECRET, token), service, "us-east-1", **kwargs)
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        signer.add_auth(request)
    prepared = request.prepare()
    scheme, rest = prepared.url.split("://", 1)
    host, slash, target = rest.partition("/")
    sent = [[k, v if isinstance(v, str) else v.decode("latin-1")] for k, v in request.headers.items()]
    sent += [[k, v] for k, v in prepared.headers.items() if k == "Content-Length"]
    for port in (":80", ":443"):
        if host.endswith(port):
            host = host[: -len(port)]
    return {
        "name": name,
        "service": service,
        "method": method,
        "host": host,
        "target": slash + target,
        "headers": sent,
        "body": (prepared.body or b"").decode("latin-1") if not isinstance(prepared.body, str) else prepared.body,
        "token": token or "",
        "presigned": "X-Amz-Signature=" in prepared.url,
    }


def cases():
    auth = botocore.auth
    base = "http://127.0.0.1:8080"
    for i, path in enumerate(PATHS):
        query = QUERIES[i % len(QUERIES)]
        target = base + path + ("?" + query if query else "")
        yield sign(f"s3 get {path}", auth.S3SigV4Auth, "s3", "GET", target, token=TOKEN if i % 2 else None)
        yield sign(f"s3 presigned {path}", auth.S3SigV4QueryAuth, "s3", "GET", target.replace("b=2&a=1&a=0&a=", "a=0&b=2"),
                   token=TOKEN if i % 3 else None, expires=604800)
        yield sign(f"execute-api get {path}", auth.SigV4Auth, "execute-api", "GET", target, token=TOKEN if i % 2 else None)
    for i, query in enumerate(QUERIES):
        yield sign(f"s3 query {query}", auth.S3SigV4Auth, "s3", "GET", base + "/bucket?" + query)
        yield sign(f"execute-api query {query}", auth.SigV4Auth, "execute-api", "GET", base + "/stage/x?" + query)
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    yield sign("sts post", auth.SigV4Auth, "sts", "POST", base + "/", headers=form, body=body, token=TOKEN)
    yield sign("iam post", auth.SigV4Auth, "iam", "POST", "https://iam.example.test/", headers=form, body=body)
    yield sign("sts presigned", auth.SigV4QueryAuth, "sts", "GET", base + "/?" + body.decode(), token=TOKEN, expires=60)
    yield sign("sts presigned with header", auth.SigV4QueryAuth, "sts", "GET", base + "/?" + body.decode(),
               headers={"x-k8s-aws-id": "cluster"}, expires=60)
    yield sign("s3 put hashed", auth.S3SigV4Auth, "s3", "PUT", base + "/b/k", body=b"some body",
               headers={"Content-Type": "text/plain", "x-amz-meta-a": "  two   blanks ", "x-amz-acl": "private"})
    yield sign("s3 put unsigned", auth.S3SigV4Auth, "s3", "PUT", "https://s3.example.test/b/k", body=b"some body",
               headers={"Content-MD5": "7Qdih1MuhjZehB6Sv8UNjA=="}, context={"has_streaming_input": True})
    yield sign("s3 put trailer", auth.S3SigV4Auth, "s3", "PUT", "https://s3.example.test/b/k",
               body=b"9\r\nsome body\r\n0\r\nx-amz-checksum-crc32:5f7bcw==\r\n\r\n",
               headers={"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "9", "x-amz-trailer": "x-amz-checksum-crc32",
                        "Expect": "100-continue", "Transfer-Encoding": "chunked"},
               context={"checksum": {"request_algorithm": {"in": "trailer", "algorithm": "crc32", "name": "x-amz-checksum-crc32"}}})
    yield sign("date header", auth.SigV4Auth, "execute-api", "GET", base + "/x", headers={"Date": "whatever"})
    headers = HTTPHeaders()
    headers["My-Header"] = "one"
    headers["My-Header"] = "two   three"
    yield sign("repeated header", auth.SigV4Auth, "execute-api", "GET", "https://api.example.test:443/x", headers=headers)
    yield sign("range and conditions", auth.S3SigV4Auth, "s3", "GET", base + "/b/k",
               headers={"Range": "bytes=0-9", "If-Match": '"x  y"', "If-None-Match": "*"})


head = {"botocore": botocore.__version__, "secret": SECRET, "time": NOW.isoformat() + "Z"}
lines = ",\n".join(json.dumps(case) for case in cases())
sys.stdout.write(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
