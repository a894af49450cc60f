# The walk of the document that the first row of the product is about: e-mail
# and password, to session keys, to buckets, to permanent keys.
set -euo pipefail
cd "$HOME"

# An access token for the account's root user.
curl -sS -X POST --data-urlencode "client_id=$IDP_CLIENT_ID" --data-urlencode "grant_type=password" \
  --data-urlencode "username=$LOGIN" --data-urlencode "password=$LOGIN_PASSWORD" "$IDP_URL" >token.json
ACCESS_TOKEN=$(jq -r .access_token token.json)

# What it says, and the role that it names.
echo "$ACCESS_TOKEN" | cut -d'.' -f2 | base64 --decode >claims.json
ROLE_ARN=$(jq -r '."https://aws.amazon.com/tags".principal_tags.role[0]' claims.json)

# Session keys for it.
aws sts assume-role-with-web-identity --role-arn "$ROLE_ARN" --role-session-name rootSession \
  --web-identity-token "$ACCESS_TOKEN" >session.json

# By exports.
export AWS_ACCESS_KEY_ID=$(jq -r .Credentials.AccessKeyId session.json)
export AWS_SECRET_ACCESS_KEY=$(jq -r .Credentials.SecretAccessKey session.json)
export AWS_SESSION_TOKEN=$(jq -r .Credentials.SessionToken session.json)
aws sts get-caller-identity >identity.json
aws s3 mb s3://tutorial

# By a profile with a session token.
mkdir -p ~/.aws
cat >~/.aws/credentials <<EOF
[session]
aws_access_key_id = $AWS_ACCESS_KEY_ID
aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
aws_session_token = $AWS_SESSION_TOKEN
EOF
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
aws --profile session s3 mb s3://tutorial2

# Permanent keys, and a profile with them.
aws --profile session iam create-access-key >key.json
cat >>~/.aws/credentials <<EOF
[permanent]
aws_access_key_id = $(jq -r .AccessKey.AccessKeyId key.json)
aws_secret_access_key = $(jq -r .AccessKey.SecretAccessKey key.json)
EOF
aws --profile permanent s3 mb s3://tutorial3
aws --profile permanent s3 ls >buckets.txt
