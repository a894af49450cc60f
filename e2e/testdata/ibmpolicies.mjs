// Gives roles with IBM's client and takes them away, and writes what it got as
// JSON. Standard input: {endpoint, apikey, account}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const IamIdentityV1 = require("@ibm-cloud/platform-services/iam-identity/v1");
const IamPolicyManagementV1 = require("@ibm-cloud/platform-services/iam-policy-management/v1");
const { IamAuthenticator } = require("ibm-cloud-sdk-core");

const { endpoint, apikey, account } = JSON.parse(readFileSync(0));
const options = (key) => ({ authenticator: new IamAuthenticator({ apikey: key, url: endpoint }), serviceUrl: endpoint });
const identity = (key) => new IamIdentityV1(options(key));
const policies = (key) => new IamPolicyManagementV1(options(key));
const out = {};

// failure is what a client sees of a refusal.
async function failure(call) {
  try {
    await call;
    return { status: 0 };
  } catch (e) {
    return { status: e.status, message: e.message, code: JSON.parse(e.body ?? "{}").errors?.[0]?.code };
  }
}

const admin = policies(apikey);
const service = (await identity(apikey).createServiceId({ accountId: account, name: "sdk-policies", apikey: { name: "first" } })).result;
const key = service.apikey.apikey;
out.iamID = service.iam_id;

const roles = (await admin.listRoles({ accountId: account, serviceName: "iam-identity" })).result;
out.systemRoles = roles.system_roles.map((r) => r.display_name);
out.kmsRoles = (await admin.listRoles({ serviceName: "kms" })).result.service_roles.map((r) => r.display_name);
const role = (name) => ({ role_id: roles.system_roles.find((r) => r.display_name === name).crn });
const v1 = (name, ...more) => ({
  type: "access",
  subjects: [{ attributes: [{ name: "iam_id", value: service.iam_id }] }],
  roles: [role(name)],
  resources: [{ attributes: [{ name: "accountId", value: account }, { name: "serviceName", value: "iam-identity", operator: "stringEquals" }, ...more] }],
});

// A viewer lists and does not make; what is taken away is gone at once.
const lists = () => failure(identity(key).listApiKeys({ accountId: account, scope: "account" }));
const makes = () => failure(identity(key).createServiceId({ accountId: account, name: "made-by-an-editor" }));
out.before = await lists();
const made = await admin.createPolicy({ ...v1("Viewer"), description: "by the SDK" });
out.created = made.status;
out.made = made.result;
out.lists = await lists();
out.makes = await makes();
out.grants = await failure(policies(key).createPolicy(v1("Administrator")));
const read = await admin.getPolicy({ policyId: made.result.id });
out.read = read.result;
out.etag = read.headers.etag;
const replaced = await admin.replacePolicy({ policyId: made.result.id, ifMatch: read.headers.etag, ...v1("Editor") });
out.replaced = replaced.result;
out.madeByEditor = await makes();
out.stale = await failure(admin.replacePolicy({ policyId: made.result.id, ifMatch: read.headers.etag, ...v1("Viewer") }));
out.again = await failure(admin.createPolicy(v1("Editor")));

// The newer shape is of the same policies.
const v2 = (name, more) => ({
  type: "access",
  control: { grant: { roles: [role(name)] } },
  subject: { attributes: [{ key: "iam_id", operator: "stringEquals", value: service.iam_id }] },
  resource: { attributes: [{ key: "accountId", operator: "stringEquals", value: account }, { key: "serviceName", operator: "stringEquals", value: "kms" }] },
  ...more,
});
const second = await admin.createV2Policy(v2("Viewer"));
out.second = second.result;
out.secondRead = (await admin.getV2Policy({ id: second.result.id })).result;
out.secondReplaced = (await admin.replaceV2Policy({ id: second.result.id, ifMatch: second.headers.etag, ...v2("Operator") })).result;
out.rule = await failure(
  admin.createV2Policy(
    v2("Editor", {
      pattern: "time-based-conditions:weekly:all-day",
      rule: { key: "{{environment.attributes.day_of_week}}", operator: "dayOfWeekAnyOf", value: ["1+00:00"] },
    }),
  ),
);
out.listed = (await admin.listPolicies({ accountId: account, iamId: service.iam_id, type: "access", state: "active", sort: "created_at" })).result.policies;
out.paged = [];
for (let start; ; ) {
  const page = (await admin.listV2Policies({ accountId: account, iamId: service.iam_id, limit: 1, start })).result;
  out.paged.push(...page.policies.map((p) => p.id));
  if (!page.next) break;
  start = page.next.start;
}

// What is not served, not known or not there.
out.authorization = await failure(admin.createPolicy({ ...v1("Viewer"), type: "authorization" }));
out.attribute = await failure(admin.createPolicy(v1("Viewer", { name: "color", value: "red" })));
out.unknownRole = await failure(admin.createPolicy({ ...v1("Viewer"), roles: [{ role_id: "crn:v1:bluemix:public:iam::::role:Owner" }] }));
out.foreign = await failure(admin.listPolicies({ accountId: "0123456789abcdef0123456789abcdef" }));
out.filter = await failure(admin.listPolicies({ accountId: account, tagName: "a" }));

out.deleted = (await admin.deletePolicy({ policyId: made.result.id })).status;
out.after = await lists();
out.gone = await failure(admin.getPolicy({ policyId: made.result.id }));
out.secondDeleted = (await admin.deleteV2Policy({ id: second.result.id })).status;
await identity(apikey).deleteServiceId({ id: service.id });
out.nobody = await failure(admin.createPolicy(v1("Viewer")));
console.log(JSON.stringify(out));
