// Logs in with amazon-cognito-identity-js by SRP, with the JavaScript SDKs, and
// verifies what comes back, as told by a JSON document on standard input; writes
// what happened as JSON to standard output.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(process.env.NODE_MODULES + "/");
const { AuthenticationDetails, CognitoUser, CognitoUserPool } = require("amazon-cognito-identity-js");
const { fromCognitoIdentityPool } = require("@aws-sdk/credential-providers");
const { CognitoIdentityProviderClient, InitiateAuthCommand, GetUserCommand, GetTokensFromRefreshTokenCommand } = require(
  "@aws-sdk/client-cognito-identity-provider",
);
const { ListBucketsCommand, S3Client } = require("@aws-sdk/client-s3");
const { JwtVerifier } = require("aws-jwt-verify");

const asked = JSON.parse(await text(process.stdin));
const { endpoint, region, userPool, client, identityPool } = asked;

// The clock of the client alone: what it writes into TIMESTAMP.
const RealDate = Date;
function atTime(iso) {
  if (!iso) {
    globalThis.Date = RealDate;
    return;
  }
  const shift = RealDate.parse(iso) - RealDate.now();
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      args.length ? super(...args) : super(RealDate.now() + shift);
    }
    static now() {
      return RealDate.now() + shift;
    }
  };
}

function srp(username, password) {
  const pool = new CognitoUserPool({ UserPoolId: userPool, ClientId: client, endpoint });
  const user = new CognitoUser({ Username: username, Pool: pool });
  return new Promise((done) =>
    user.authenticateUser(new AuthenticationDetails({ Username: username, Password: password }), {
      onSuccess: (session) =>
        done({
          idToken: session.getIdToken().getJwtToken(),
          accessToken: session.getAccessToken().getJwtToken(),
          refreshToken: session.getRefreshToken().getToken(),
        }),
      onFailure: (err) => done({ error: err.code ?? err.name, message: err.message }),
      newPasswordRequired: () => done({ challenge: "NEW_PASSWORD_REQUIRED" }),
      totpRequired: () => done({ challenge: "SOFTWARE_TOKEN_MFA" }),
      mfaSetup: () => done({ challenge: "MFA_SETUP" }),
    }),
  );
}

async function attempt(work) {
  try {
    return await work();
  } catch (err) {
    return { error: err.name, message: err.message };
  }
}

const out = { srp: [] };
for (const s of asked.srp) {
  atTime(s.at);
  out.srp.push(await srp(s.username, s.password));
  atTime();
}

const idp = new CognitoIdentityProviderClient({ endpoint, region });
const signIn = await idp.send(
  new InitiateAuthCommand({
    ClientId: client,
    AuthFlow: "USER_PASSWORD_AUTH",
    AuthParameters: { USERNAME: asked.username, PASSWORD: asked.password },
  }),
);
const tokens = signIn.AuthenticationResult;
out.user = await attempt(async () => (await idp.send(new GetUserCommand({ AccessToken: tokens.AccessToken }))).Username);
out.refreshed = await attempt(
  async () => (await idp.send(new GetTokensFromRefreshTokenCommand({ ClientId: client, RefreshToken: tokens.RefreshToken }))).AuthenticationResult.TokenType,
);

// The tokens, checked as a resource server would.
const issuer = `${endpoint}/${userPool}`;
const verifier = JwtVerifier.create({ issuer, audience: client, jwksUri: `${issuer}/.well-known/jwks.json` });
verifier.cacheJwks(await (await fetch(`${issuer}/.well-known/jwks.json`)).json());
out.claims = await attempt(() => verifier.verify(tokens.IdToken));
out.discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

// Keys from the identity pool, used against S3.
const credentials = (logins) =>
  fromCognitoIdentityPool({ identityPoolId: identityPool, logins, clientConfig: { endpoint, region } });
const list = (logins) =>
  attempt(async () => {
    const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: credentials(logins) });
    return (await s3.send(new ListBucketsCommand({}))).Buckets?.map((b) => b.Name) ?? [];
  });
out.buckets = await list({ [asked.provider]: tokens.IdToken });
out.byAccessToken = await list({ [asked.provider]: tokens.AccessToken });
out.tampered = await list({ [asked.provider]: tokens.IdToken.slice(0, -6) + "AAAAAA" });

console.log(JSON.stringify(out));
