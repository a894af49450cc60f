# The walk of the document of the Stax-style API: from the config document to a
# signed call, with no AWS keys configured and none but its own commands.
set -euo pipefail
cd "$HOME"

# What there is to know about the installation.
curl -sS "$CONFIG_URL" | base64 --decode >config.json
export AWS_DEFAULT_REGION=$(jq -r .ApiAuth.region config.json)
USER_POOL_ID=$(jq -r .ApiAuth.userPoolId config.json)
CLIENT_ID=$(jq -r .ApiAuth.userPoolWebClientId config.json)
IDENTITY_POOL_ID=$(jq -r .ApiAuth.identityPoolId config.json)
API=$(jq -r '.API.endpoints[0].endpoint' config.json)

# Log in with the API token.
aws cognito-idp initiate-auth --client-id "$CLIENT_ID" --auth-flow USER_PASSWORD_AUTH \
  --auth-parameters "USERNAME=$ACCESS_KEY,PASSWORD=$SECRET_KEY" >login.json
ID_TOKEN=$(jq -r .AuthenticationResult.IdToken login.json)

# Who that is to the identity pool, and session keys for it.
LOGINS="cognito-idp.$AWS_DEFAULT_REGION.amazonaws.com/$USER_POOL_ID=$ID_TOKEN"
aws cognito-identity get-id --identity-pool-id "$IDENTITY_POOL_ID" --logins "$LOGINS" >id.json
IDENTITY_ID=$(jq -r .IdentityId id.json)
aws cognito-identity get-credentials-for-identity --identity-id "$IDENTITY_ID" --logins "$LOGINS" >credentials.json

# By exports, as the page shows them.
export AWS_ACCESS_KEY_ID=$(jq -r .Credentials.AccessKeyId credentials.json)
export AWS_SECRET_ACCESS_KEY=$(jq -r .Credentials.SecretKey credentials.json)
export AWS_SESSION_TOKEN=$(jq -r .Credentials.SessionToken credentials.json)
aws sts get-caller-identity >identity.json

# A signed call of the API.
curl -sS --fail-with-body --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  -H "x-amz-security-token: $AWS_SESSION_TOKEN" "$API/20190206/users/me" >me.json
