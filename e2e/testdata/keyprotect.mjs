// Calls every method of IBM's client of Key Protect, each right and wrong, and
// writes what it got as JSON: by name, the status, the reason's code and what the
// test looks at. Standard input: {endpoint, apikey, service, instance}.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";
import crypto from "node:crypto";

const module = path.join(process.env.NODE_MODULES, "@ibm-cloud/ibm-key-protect");
const require = createRequire(path.join(module, "x.js"));
const KeyProtect = require("./ibm-key-protect-api/v2");
const { IamAuthenticator } = require("ibm-cloud-sdk-core");

const { endpoint, apikey, service, instance } = JSON.parse(readFileSync(0));
const client = (key) =>
  new KeyProtect({ authenticator: new IamAuthenticator({ apikey: key, url: endpoint }), serviceUrl: endpoint });
const kp = client(apikey);
const out = {};

// call notes the outcome of a method under its name and a word.
async function call(name, word, params, by = kp) {
  const what = `${name} ${word}`;
  try {
    const r = await by[name]({ bluemixInstance: instance, ...params });
    out[what] = { status: r.status };
    return r;
  } catch (e) {
    let body = e.body;
    for (; typeof body === "string" && body; body = JSON.parse(body));
    if (body && typeof body.on === "function") {
      const chunks = [];
      for await (const c of body) chunks.push(c);
      body = JSON.parse(Buffer.concat(chunks));
    }
    const reason = body?.resources?.[0]?.reasons?.[0] ?? e.result?.resources?.[0]?.reasons?.[0];
    out[what] = { status: e.status ?? 0, code: reason?.code ?? String(e.message) };
  }
}

const json = (v) => Buffer.from(JSON.stringify(v));
const keyType = "application/vnd.ibm.kms.key+json";
const policyType = "application/vnd.ibm.kms.policy+json";
const one = (type, ...resources) => ({ metadata: { collectionType: type, collectionTotal: resources.length }, resources });
const key = (fields) => json(one(keyType, { type: keyType, ...fields }));
const nobody = "99999999-1111-4222-8333-444455556666";
const text = async (stream) => {
  let s = "";
  for await (const c of stream) s += c;
  return s;
};

// Keys.
const made = await call("createKey", "right", { body: key({ name: "root", extractable: false, aliases: ["sdk-root"] }), prefer: "return=representation" });
const id = made.result.resources[0].id;
await call("createKey", "wrong", { body: key({ name: "", extractable: false }) });
const standard = await call("createKey", "standard", {
  body: key({ name: "standard", extractable: true, payload: Buffer.from("brought in").toString("base64") }),
});
const standardID = standard.result.resources[0].id;
const list = await call("getKeys", "right", { limit: 10, state: [1, 2], extractable: false });
out["getKeys right"].names = list.result.resources.map((k) => k.name);
out["getKeys right"].payload = "payload" in list.result.resources[0];
await call("getKeys", "wrong", { limit: 5001 });
await call("getKeys", "elsewhere", { bluemixInstance: nobody });
const head = await call("getKeyCollectionMetadata", "right", { state: [1] });
out["getKeyCollectionMetadata right"].total = head.headers["key-total"];
await call("getKeyCollectionMetadata", "wrong", { bluemixInstance: nobody });
const got = await call("getKey", "right", { id: standardID });
out["getKey right"].payload = Buffer.from(got.result.resources[0].payload, "base64").toString();
const root = await call("getKey", "root", { id: "sdk-root" });
out["getKey root"].payload = "payload" in root.result.resources[0];
await call("getKey", "wrong", { id: nobody });
await call("getKeyMetadata", "right", { id: "sdk-root" });
await call("getKeyMetadata", "wrong", { id: "not-here" });

// Aliases.
await call("createKeyAlias", "right", { id, alias: "second" });
await call("createKeyAlias", "wrong", { id: standardID, alias: "second" });
await call("deleteKeyAlias", "right", { id, alias: "second" });
await call("deleteKeyAlias", "wrong", { id, alias: "second" });

// Actions.
const plaintext = Buffer.from("a data key").toString("base64");
const wrapped = await call("wrapKey", "right", { id, keyActionWrapBody: json({ plaintext, aad: ["tape 7"] }) });
await call("wrapKey", "wrong", { id: standardID, keyActionWrapBody: json({ plaintext }) });
const fresh = await call("wrapKey", "generated", { id });
out["wrapKey generated"].bytes = Buffer.from(fresh.result.plaintext, "base64").length;
const ciphertext = wrapped.result.ciphertext;
const opened = await call("unwrapKey", "right", { id, keyActionUnwrapBody: json({ ciphertext, aad: ["tape 7"] }) });
out["unwrapKey right"].same = opened.result.plaintext === plaintext && !opened.result.ciphertext;
await call("unwrapKey", "wrong", { id, keyActionUnwrapBody: json({ ciphertext, aad: ["tape 8"] }) });
await call("rotateKey", "right", { id, prefer: "return=minimal" });
await call("rotateKey", "wrong", { id: standardID });
const anew = await call("unwrapKey", "rotated", { id, keyActionUnwrapBody: json({ ciphertext, aad: ["tape 7"] }) });
out["unwrapKey rotated"].same = anew.result.plaintext === plaintext && anew.result.ciphertext.length > 0 && anew.result.ciphertext !== ciphertext;
const rewrapped = await call("rewrapKey", "right", { id, keyActionRewrapBody: json({ ciphertext, aad: ["tape 7"] }) });
out["rewrapKey right"].same = !("plaintext" in rewrapped.result) && rewrapped.result.ciphertext !== ciphertext;
await call("rewrapKey", "wrong", { id, keyActionRewrapBody: json({ ciphertext: "AAAA" }) });
const versions = await call("getKeyVersions", "right", { id, limit: 5 });
out["getKeyVersions right"].count = versions.result.resources.length;
await call("getKeyVersions", "wrong", { id: nobody });
await call("disableKey", "right", { id });
await call("wrapKey", "disabled", { id });
await call("disableKey", "wrong", { id });
await call("enableKey", "right", { id });
await call("enableKey", "wrong", { id });
await call("syncAssociatedResources", "right", { id });
await call("syncAssociatedResources", "wrong", { id: nobody });

// Key rings.
await call("createKeyRing", "right", { keyRingId: "sdk-ring" });
await call("createKeyRing", "wrong", { keyRingId: "sdk-ring" });
const rings = await call("listKeyRings", "right", {});
out["listKeyRings right"].names = rings.result.resources.map((r) => r.id);
await call("listKeyRings", "wrong", { bluemixInstance: nobody });
await call("deleteKeyRing", "right", { keyRingId: "sdk-ring" });
await call("deleteKeyRing", "wrong", { keyRingId: "default" });

// Policies of a key, and two words to its deletion.
await call("putPolicy", "right", {
  id,
  setKeyPoliciesOneOf: one(policyType, { type: policyType, rotation: { interval_month: 3 } }, { type: policyType, dualAuthDelete: { enabled: true } }),
});
await call("putPolicy", "wrong", { id, setKeyPoliciesOneOf: one(policyType, { type: policyType, rotation: { interval_month: 13 } }) });
await call("putPolicy", "mismatch", { id, policy: "rotation", setKeyPoliciesOneOf: one(policyType, { type: policyType, dualAuthDelete: { enabled: true } }) });
const policies = await call("getPolicy", "right", { id });
out["getPolicy right"].count = policies.result.resources.length;
await call("getPolicy", "wrong", { id: nobody });
await call("deleteKey", "alone", { id });
await call("setKeyForDeletion", "right", { id });
await call("setKeyForDeletion", "wrong", { id: standardID });
await call("deleteKey", "same", { id });
await call("unsetKeyForDeletion", "right", { id });
await call("unsetKeyForDeletion", "wrong", { id: standardID });

// Registrations.
const registrations = await call("getRegistrations", "right", { id, totalCount: true });
out["getRegistrations right"].count = registrations.result.metadata.totalCount;
await call("getRegistrations", "wrong", { id: nobody });
await call("getRegistrationsAllKeys", "right", { urlEncodedResourceCrnQuery: encodeURIComponent("crn:v1:bluemix:public:cloud-object-storage:global:a/1:2:bucket:*") });
await call("getRegistrationsAllKeys", "wrong", { urlEncodedResourceCrnQuery: "not-a-crn" });

// Secure import.
const created = await call("postImportToken", "right", { expiration: 300, maxAllowedRetrievals: 1 });
out["postImportToken right"].remaining = created.result.remainingRetrievals;
await call("postImportToken", "wrong", { expiration: 1 });
const token = (await call("getImportToken", "right", {})).result;
await call("getImportToken", "wrong", {});
const material = crypto.randomBytes(32);
const iv = crypto.randomBytes(12);
const gcm = crypto.createCipheriv("aes-256-gcm", material, iv);
const encryptedNonce = Buffer.concat([gcm.update(Buffer.from(token.nonce, "base64")), gcm.final(), gcm.getAuthTag()]).toString("base64");
const pem = Buffer.from(token.payload, "base64").toString();
const payload = crypto.publicEncrypt({ key: pem, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }, material).toString("base64");
const imported = { name: "imported", extractable: false, payload, encryptedNonce, iv: iv.toString("base64"), encryptionAlgorithm: "RSAES_OAEP_SHA_256" };
const importedKey = await call("createKey", "imported", { body: key(imported) });
await call("createKey", "wrong iv", { body: key({ ...imported, iv: crypto.randomBytes(12).toString("base64") }) });
const importedID = importedKey.result.resources[0].id;
out["createKey imported"].imported = importedKey.result.resources[0].imported;

// Deletion and restoration.
await call("deleteKey", "right", { id: importedID, prefer: "return=representation" });
await call("deleteKey", "wrong", { id: importedID });
await call("getKeyMetadata", "deleted", { id: importedID });
const restored = await call("restoreKey", "right", { id: importedID, keyRestoreBody: json({}), prefer: "return=representation" });
out["restoreKey right"].state = JSON.parse(await text(restored.result)).resources[0].state;
await call("restoreKey", "wrong", { id: importedID, keyRestoreBody: json({}) });

// Policies of the instance.
const instancePolicy = (policy_type, policy_data) => one(policyType, { policy_type, policy_data });
await call("putInstancePolicy", "right", {
  policy: "allowedIP",
  setInstancePoliciesOneOf: instancePolicy("allowedIP", { enabled: true, attributes: { allowed_ip: ["127.0.0.0/8"] } }),
});
await call("putInstancePolicy", "wrong", {
  setInstancePoliciesOneOf: instancePolicy("allowedIP", { enabled: true, attributes: { allowed_ip: ["192.0.2.0/24"] } }),
});
const instancePolicies = await call("getInstancePolicy", "right", { policy: "allowedIP" });
out["getInstancePolicy right"].addresses = instancePolicies.result.resources[0].policy_data.attributes.allowed_ip;
await call("getInstancePolicy", "wrong", { policy: "other" });
const port = await call("getAllowedIpPort", "right", {});
out["getAllowedIpPort right"].port = port.result.resources[0].private_endpoint_port;
await call("getAllowedIpPort", "wrong", { bluemixInstance: nobody });

// A caller without a role.
const stranger = client(service);
await call("getKeys", "stranger", {}, stranger);
await call("wrapKey", "stranger", { id }, stranger);

out.methods = Object.getOwnPropertyNames(KeyProtect.prototype).filter((m) => m !== "constructor");
process.stdout.write(JSON.stringify(out));
