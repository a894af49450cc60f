// Writes sigv4a.json: key pairs derived and requests signed by
// @smithy/signature-v4a, with a fixed clock. Node's own crypto makes the public
// keys from the private ones.
//
//   npm install @smithy/signature-v4a @aws-crypto/sha256-js
//   node sign_with_smithy.mjs > sigv4a.json

import { createECDH } from "node:crypto";
import sha256 from "@aws-crypto/sha256-js";
import v4a from "@smithy/signature-v4a";

const now = new Date("2026-01-02T03:04:05Z");
const token = "FwoG/+ZXIv=YXdzEBYaDK0==";

const secrets = [
  ["ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
  ["AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom"],
  ["a", "b"],
  ["with/slash", "/"],
];
for (let i = 0; i < 60; i++) secrets.push([`AKIAEXAMPLE${i}`, `secret ${i * 7919}`]);

class Signer extends v4a.SignatureV4a {
  async getSignature(privateKey, text) {
    this.privateKey = Buffer.from(privateKey);
    return super.getSignature(privateKey, text);
  }

  // The package signs by headers only; the query form differs in where the
  // parts stand.
  async presign(request, region, sessionToken) {
    const credentials = await this.credentialProvider();
    await this.signRequest(request, { signingDate: now }); // for the key
    const date = "20260102T030405Z";
    const scope = `20260102/${this.service}/aws4_request`;
    const query = {
      ...request.query,
      "X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256",
      "X-Amz-Credential": `${credentials.accessKeyId}/${scope}`,
      "X-Amz-Date": date,
      "X-Amz-Expires": "3600",
      "X-Amz-Region-Set": region,
      "X-Amz-SignedHeaders": "host",
    };
    if (sessionToken) query["X-Amz-Security-Token"] = sessionToken;
    const signed = { ...request, query, headers: { host: request.headers.host } };
    const payload = this.service === "s3" ? "UNSIGNED-PAYLOAD" : "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const canonical = this.createCanonicalRequest(signed, { host: request.headers.host }, payload);
    const text = await this.createStringToSign(date, scope, canonical, "AWS4-ECDSA-P256-SHA256");
    query["X-Amz-Signature"] = await this.getSignature(this.privateKey, text);
    return { ...signed, query };
  }
}

const [id, secret] = secrets[0];
const signer = (service, region, credentials) =>
  new Signer({
    service,
    region,
    credentials: credentials ?? { accessKeyId: id, secretAccessKey: secret },
    sha256: sha256.Sha256,
    applyChecksum: service === "s3",
    uriEscapePath: service !== "s3",
  });

const encode = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
const target = (r) => {
  const pairs = Object.entries(r.query ?? {}).map(([k, v]) => `${encode(k)}=${encode(v)}`);
  return r.path + (pairs.length ? "?" + pairs.join("&") : "");
};

const keys = [];
for (const [accessKeyId, secretAccessKey] of secrets) {
  const s = signer("s3", "*", { accessKeyId, secretAccessKey });
  await s.signRequest({ method: "GET", path: "/", headers: { host: "h" }, query: {} }, { signingDate: now });
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(s.privateKey);
  keys.push({ AccessKeyID: accessKeyId, Secret: secretAccessKey, PublicKey: ecdh.getPublicKey("hex", "uncompressed") });
}

const cases = [];
for (const service of ["s3", "sts", "execute-api"]) {
  for (const region of ["*", "us-east-1", "us-*", "eu-west-1,us-east-1"]) {
    for (const [path, query] of [
      ["/bucket/a%20key", { prefix: "a b/c", "list-type": "2" }],
      ["/bucket/%E1%88%B4", { uploads: "" }],
    ]) {
      for (const sessionToken of [undefined, token]) {
        const make = (body) => ({
          method: body ? "PUT" : "GET", path, query, body,
          headers: { host: "127.0.0.1:8080", ...(body ? { "content-type": "text/plain", "x-amz-meta-a": " two  blanks " } : {}) },
        });
        const credentials = { accessKeyId: id, secretAccessKey: secret, sessionToken };
        const name = `${service} ${region} ${path}${sessionToken ? " token" : ""}`;
        for (const body of [undefined, "content"]) {
          const r = await signer(service, region, credentials).signRequest(make(body), { signingDate: now });
          cases.push({ Name: `${name} ${r.method}`, Service: service, Method: r.method, Target: target(r), Headers: r.headers, Body: body ?? "", Token: sessionToken ?? "" });
        }
        const p = await signer(service, region).presign(make(), region, sessionToken);
        cases.push({ Name: `${name} presigned`, Service: service, Method: p.method, Target: target(p), Headers: p.headers, Body: "", Token: sessionToken ?? "", Presigned: true });
      }
    }
  }
}
const lines = (list) => "[\n" + list.map((v) => JSON.stringify(v)).join(",\n") + "\n]";
console.log(`{"Time": ${JSON.stringify(now)}, "Secret": ${JSON.stringify(secret)},\n"Keys": ${lines(keys)},\n"Cases": ${lines(cases)}}`);
