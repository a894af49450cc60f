// Manages trusted profiles with IBM's client, every call right and wrong, and
// writes what it got as JSON. Standard input: {endpoint, apikey, account, crn}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const IamIdentityV1 = require("@ibm-cloud/platform-services/iam-identity/v1");
const { IamAuthenticator, IamAssumeAuthenticator } = require("ibm-cloud-sdk-core");

const { endpoint, apikey, account, crn } = JSON.parse(readFileSync(0));
const as = (authenticator) => new IamIdentityV1({ authenticator, serviceUrl: endpoint });
const iam = as(new IamAuthenticator({ apikey, url: endpoint }));
const out = { calls: {}, refused: {} };

// right keeps the status of a call that has to succeed, and returns its result.
async function right(name, call) {
  const r = await call;
  out.calls[name] = r.status;
  return r;
}

// wrong keeps the status of a call that has to be refused.
async function wrong(name, call) {
  try {
    await call;
    out.refused[name] = 0;
  } catch (e) {
    out.refused[name] = e.status;
  }
}

const me = (await iam.getApiKeysDetails({ iamApiKey: apikey })).result.iam_id;
const service = (await iam.createServiceId({ accountId: account, name: "profile-robot", apikey: { name: "k" } })).result;

const made = await right("createProfile", iam.createProfile({ name: "sdk", accountId: account, description: "by the SDK", email: "sdk@example.com" }));
const profileId = made.result.id;
out.made = made.result;
await wrong("createProfile again", iam.createProfile({ name: "SDK", accountId: account }));
await wrong("createProfile elsewhere", iam.createProfile({ name: "sdk", accountId: "000000000000" }));
const read = await right("getProfile", iam.getProfile({ profileId }));
out.etag = read.headers.etag;
await wrong("getProfile of none", iam.getProfile({ profileId: "Profile-none" }));
out.updated = (await right("updateProfile", iam.updateProfile({ profileId, ifMatch: read.headers.etag, description: "changed", email: "" }))).result;
await wrong("updateProfile, stale", iam.updateProfile({ profileId, ifMatch: read.headers.etag, name: "x" }));
await iam.createProfile({ name: "other", accountId: account });
out.names = [];
for (let pagetoken; ; ) {
  const page = (await right("listProfiles", iam.listProfiles({ accountId: account, pagesize: 1, sort: "name", includeHistory: true, pagetoken }))).result;
  out.names.push(...page.profiles.map((p) => p.name));
  if (!page.next) break;
  pagetoken = new URL(page.next).searchParams.get("pagetoken");
}
out.named = (await iam.listProfiles({ accountId: account, name: "other" })).result.profiles.map((p) => p.name);

const saml = { profileId, type: "Profile-SAML", realmName: "https://idp.example.org", expiration: 43200, conditions: [{ claim: "blueGroups", operator: "CONTAINS", value: '"cloud-docs-dev"' }] };
const cr = { profileId, type: "Profile-CR", crType: "IKS_SA", name: "pods", conditions: [{ claim: "namespace", operator: "IN", value: '["ci","cd"]' }] };
const rule = await right("createClaimRule", iam.createClaimRule(saml));
const second = await iam.createClaimRule(cr);
out.rule = rule.result;
const ruleId = rule.result.id;
await wrong("createClaimRule, no JSON", iam.createClaimRule({ ...cr, conditions: [{ claim: "namespace", operator: "EQUALS", value: "ci" }] }));
await wrong("createClaimRule, no condition", iam.createClaimRule({ ...cr, conditions: [] }));
await wrong("createClaimRule, another type", iam.createClaimRule({ ...cr, type: "Profile-X" }));
out.rules = (await right("listClaimRules", iam.listClaimRules({ profileId }))).result.rules;
const oneRule = await right("getClaimRule", iam.getClaimRule({ profileId, ruleId }));
await wrong("getClaimRule of none", iam.getClaimRule({ profileId, ruleId: "ClaimRule-none" }));
out.ruleUpdated = (await right("updateClaimRule", iam.updateClaimRule({ ...saml, ruleId, ifMatch: oneRule.headers.etag, expiration: 900 }))).result;
await wrong("updateClaimRule, stale", iam.updateClaimRule({ ...saml, ruleId, ifMatch: oneRule.headers.etag }));
await right("deleteClaimRule", iam.deleteClaimRule({ profileId, ruleId: second.result.id }));
await wrong("deleteClaimRule again", iam.deleteClaimRule({ profileId, ruleId: second.result.id }));

const pod = { profileId, crType: "ROKS_SA", name: "runner", link: { crn, namespace: "ci", name: "runner" } };
const link = await right("createLink", iam.createLink(pod));
out.link = link.result;
const linkId = link.result.id;
await wrong("createLink again", iam.createLink(pod));
await wrong("createLink, no namespace", iam.createLink({ ...pod, link: { crn } }));
await wrong("createLink, no CRN", iam.createLink({ ...pod, link: { crn: "x", namespace: "a", name: "b" } }));
out.links = (await right("listLinks", iam.listLinks({ profileId }))).result.links;
await right("getLink", iam.getLink({ profileId, linkId }));
await wrong("getLink of none", iam.getLink({ profileId, linkId: "Link-none" }));
await right("deleteLink", iam.deleteLink({ profileId, linkId }));
await wrong("deleteLink again", iam.deleteLink({ profileId, linkId }));

const before = (await right("getProfileIdentities", iam.getProfileIdentities({ profileId }))).result;
const user = { identifier: me, type: "user", accounts: [account], description: "me" };
out.identities = (await right("setProfileIdentities", iam.setProfileIdentities({ profileId, ifMatch: before.entity_tag, identities: [user] }))).result;
await wrong("setProfileIdentities, stale", iam.setProfileIdentities({ profileId, ifMatch: before.entity_tag, identities: [] }));
await wrong("setProfileIdentities of nobody", iam.setProfileIdentities({ profileId, ifMatch: "*", identities: [{ identifier: "IBMid-nobody", type: "user" }] }));
const robot = { profileId, identityType: "serviceid", identifier: service.id, type: "serviceid" };
out.identity = (await right("setProfileIdentity", iam.setProfileIdentity(robot))).result;
await wrong("setProfileIdentity, another type", iam.setProfileIdentity({ ...robot, identityType: "user" }));
await right("getProfileIdentity", iam.getProfileIdentity({ profileId, identityType: "serviceid", identifierId: service.id }));
await wrong("getProfileIdentity of none", iam.getProfileIdentity({ profileId, identityType: "user", identifierId: "IBMid-nobody" }));

// Who is named becomes the profile, which has no rights of its own.
const assume = (id, key) => as(new IamAssumeAuthenticator({ iamProfileId: id, apikey: key, url: endpoint }));
await wrong("a profile without a policy", assume(profileId, apikey).listProfiles({ accountId: account }));
out.assumed = JSON.parse(Buffer.from((await new IamAssumeAuthenticator({ iamProfileId: profileId, apikey: service.apikey.apikey, url: endpoint }).tokenManager.getToken()).split(".")[1], "base64"));
await right("deleteProfileIdentity", iam.deleteProfileIdentity({ profileId, identityType: "serviceid", identifierId: service.id }));
await wrong("deleteProfileIdentity again", iam.deleteProfileIdentity({ profileId, identityType: "serviceid", identifierId: service.id }));
await wrong("assume by who is named no more", assume(profileId, service.apikey.apikey).listProfiles({ accountId: account }));

await right("deleteProfile", iam.deleteProfile({ profileId }));
await wrong("deleteProfile again", iam.deleteProfile({ profileId }));
await wrong("assume of a profile that is gone", assume(profileId, apikey).listProfiles({ accountId: account }));
console.log(JSON.stringify(out));
