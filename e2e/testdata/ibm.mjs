// Manages API keys and service IDs with IBM's client, and writes what it got as
// JSON. Standard input: {endpoint, apikey, account}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const IamIdentityV1 = require("@ibm-cloud/platform-services/iam-identity/v1");
const { IamAuthenticator } = require("ibm-cloud-sdk-core");

const { endpoint, apikey, account } = JSON.parse(readFileSync(0));
const client = (key) =>
  new IamIdentityV1({ authenticator: new IamAuthenticator({ apikey: key, url: endpoint }), serviceUrl: endpoint });
const iam = client(apikey);
const out = {};

// failure is what a client sees of a refusal.
async function failure(call) {
  try {
    await call;
    return { status: 0 };
  } catch (e) {
    return { status: e.status, message: e.message };
  }
}

const mine = (await iam.getApiKeysDetails({ iamApiKey: apikey, includeHistory: true })).result;
out.mine = mine;

// API keys of one's own: made, read, listed page by page, changed, locked.
const made = [];
for (const name of ["sdk-1", "sdk-2", "sdk-3"]) {
  made.push((await iam.createApiKey({ name, iamId: mine.iam_id, accountId: account, description: "made by the SDK" })).result);
}
out.made = made[0];
const read = await iam.getApiKey({ id: made[0].id, includeHistory: true });
out.read = read.result;
out.etag = read.headers.etag;
out.names = [];
for (let pagetoken; ; ) {
  const page = (await iam.listApiKeys({ accountId: account, iamId: mine.iam_id, pagesize: 1, pagetoken })).result;
  out.names.push(...page.apikeys.map((k) => k.name));
  if (!page.next) break;
  pagetoken = new URL(page.next).searchParams.get("pagetoken");
}
out.updated = (await iam.updateApiKey({ id: made[0].id, ifMatch: read.headers.etag, description: "changed" })).result;
out.stale = await failure(iam.updateApiKey({ id: made[0].id, ifMatch: read.headers.etag, description: "again" }));
out.lock = (await iam.lockApiKey({ id: made[1].id })).status;
out.lockedDelete = await failure(iam.deleteApiKey({ id: made[1].id }));
out.unlock = (await iam.unlockApiKey({ id: made[1].id })).status;

// A key that is disabled logs nobody in; enabled it does again.
out.disable = (await iam.disableApiKey({ id: made[2].id })).status;
out.disabled = await failure(client(made[2].apikey).listApiKeys({}));
out.enable = (await iam.enableApiKey({ id: made[2].id })).status;
out.enabled = await failure(client(made[2].apikey).listApiKeys({}));
for (const k of made) await iam.deleteApiKey({ id: k.id });
out.deleted = await failure(client(made[0].apikey).listApiKeys({}));
out.gone = await failure(iam.getApiKey({ id: made[0].id }));

// Service IDs, one with its first API key.
const service = (await iam.createServiceId({ accountId: account, name: "sdk-service", description: "by the SDK", apikey: { name: "first" } })).result;
out.service = service;
const shown = await iam.getServiceId({ id: service.id, includeHistory: true });
out.serviceRead = shown.result;
out.serviceUpdated = (await iam.updateServiceId({ id: service.id, ifMatch: shown.headers.etag, name: "renamed" })).result;
out.services = (await iam.listServiceIds({ accountId: account, name: "renamed", pagesize: 100 })).result;
const own = client(service.apikey.apikey);
out.serviceKey = await failure(own.getApiKeysDetails({ iamApiKey: service.apikey.apikey }));
out.serviceMay = await failure(own.createServiceId({ accountId: account, name: "not-allowed" }));
out.serviceDeleted = (await iam.deleteServiceId({ id: service.id })).status;
out.serviceGone = await failure(client(service.apikey.apikey).listApiKeys({}));

const settings = await iam.getAccountSettings({ accountId: account });
out.settings = (
  await iam.updateAccountSettings({ accountId: account, ifMatch: settings.headers.etag, systemAccessTokenExpirationInSeconds: "900" })
).result;
out.shortLived = (await new IamAuthenticator({ apikey, url: endpoint }).tokenManager.requestToken()).result.expires_in;

out.templates = (await iam.listProfileTemplates({ accountId: account })).result.profile_templates;
out.assignments = (await iam.listAccountSettingsAssignments({ accountId: account })).result.assignments;
console.log(JSON.stringify(out));
