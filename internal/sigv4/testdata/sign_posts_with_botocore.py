"""Writes posts.json: POST forms signed by botocore, with a fixed clock.

Run it with a Python that has botocore: python3 sign_posts_with_botocore.py > posts.json
"""

import datetime
import json
import sys
from unittest import mock

import botocore
import botocore.session
from botocore.config import Config

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)
KEY, SECRET, TOKEN = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoG/+ZXIv=YXdzEBYaDK0=="

FORMS = [
    ("plain", "photos/a.jpg", {}, []),
    ("filename", "user/eric/${filename}", {}, []),
    ("any key", "user/${filename}", {}, [["starts-with", "$key", "user/"]]),
    ("length", "a", {}, [["content-length-range", 1, 1048576]]),
    (
        "fields",
        "a key + \u1234",
        {"acl": "private", "Content-Type": "image/png", "x-amz-meta-tag": "", "success_action_status": "201"},
        [{"acl": "private"}, ["starts-with", "$Content-Type", "image/"], ["starts-with", "$x-amz-meta-tag", ""], {"success_action_status": "201"}],
    ),
    ("redirect", "a", {"success_action_redirect": "https://www.example.com/done?x=1"}, [{"success_action_redirect": "https://www.example.com/done?x=1"}]),
]


def form(name, key, fields, conditions, token):
    client = botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:8080",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    # botocore writes into what it is given.
    fields, conditions = json.loads(json.dumps([fields, conditions]))
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW), mock.patch(
        "botocore.signers.get_current_datetime", return_value=NOW
    ):
        post = client.generate_presigned_post("bucket", key, Fields=fields, Conditions=conditions, ExpiresIn=3600)
    return {"Name": name + (" token" if token else ""), "URL": post["url"], "Fields": [[k, v] for k, v in post["fields"].items()], "Key": key, "Token": token or ""}


forms = [form(*f, token) for f in FORMS for token in (None, TOKEN)]
json.dump({"Botocore": botocore.__version__, "Secret": SECRET, "Time": NOW.isoformat() + "Z", "Forms": forms}, sys.stdout, indent=1)
print()
