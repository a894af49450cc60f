"""Gets S3 credentials as the documents of Cray systems tell their readers to:
log in with a password at the realm, then PUT to the token service with the
token. Prints the answer's Credentials as JSON.

craykeys.py GATEWAY USER     the password is $CRAY_PASSWORD
"""

import json
import os
import sys

import oauthlib.oauth2
import requests_oauthlib

REALM, CLIENT = "shasta", "shasta"


def main(gateway, user):
    token_url = f"{gateway}/keycloak/realms/{REALM}/protocol/openid-connect/token"
    client = oauthlib.oauth2.LegacyApplicationClient(client_id=CLIENT)
    session = requests_oauthlib.OAuth2Session(
        client=client,
        auto_refresh_url=token_url,
        auto_refresh_kwargs={"client_id": CLIENT},
        token_updater=lambda token: None,
    )
    session.fetch_token(token_url=token_url, client_id=CLIENT, username=user, password=os.environ["CRAY_PASSWORD"])
    response = session.put(f"{gateway}/apis/sts/token")
    response.raise_for_status()
    if response.status_code != 201:
        raise SystemExit(f"status {response.status_code}, want 201")
    json.dump(response.json()["Credentials"], sys.stdout)


main(*sys.argv[1:])
