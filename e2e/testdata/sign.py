"""Signs requests with botocore: one JSON object per line in, one per line out."""

import datetime
import json
import sys
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def sign(job):
    url = f"http://{job['host']}{job['path']}"
    if job["query"]:
        url += "?" + job["query"]
    # Presigning moves a body into the query; the body of an upload is sent later.
    body = b"" if job["presign"] else job["body"].encode()
    request = AWSRequest(method=job["method"], url=url, headers=dict(job["headers"] or []), data=body)
    if job["unsigned"]:
        request.context["payload_signing_enabled"] = False
        request.context["client_config"] = mock.Mock(s3={"payload_signing_enabled": False})
        request.url = request.url.replace("http://", "https://")
    credentials = Credentials(job["key"], job["secret"], job["token"] or None)
    s3 = job["service"] == "s3"
    where = (credentials, job["service"], job["region"])
    if job["presign"]:
        cls = botocore.auth.S3SigV4QueryAuth if s3 else botocore.auth.SigV4QueryAuth
        signer = cls(*where, expires=job["expires"])
    else:
        cls = botocore.auth.S3SigV4Auth if s3 else botocore.auth.SigV4Auth
        signer = cls(*where)
    now = datetime.datetime.fromtimestamp(job["time"], datetime.timezone.utc).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        signer.add_auth(request)
    prepared = request.prepare()
    host, slash, target = prepared.url.split("://", 1)[1].partition("/")
    headers = [[k, v.decode("latin-1") if isinstance(v, bytes) else v] for k, v in prepared.headers.items()]
    return {"host": host, "target": slash + target, "headers": headers}


for line in sys.stdin:
    print(json.dumps(sign(json.loads(line))), flush=True)
