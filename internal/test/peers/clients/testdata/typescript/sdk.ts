// A program that has nothing but the package logs in, files, and believes what it should, under the compiler's strictest settings.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import {
  App, all, createDiresco, fetchReceiptKeys, followEvents, LoginAgainError, matchesContent, memoryStore, newKey, ok, ProblemError, ReceiptError, staticToken,
  verifyReceipt, verifyWebhook, WebhookError,
} from "@diresco/client";
import { decide, representative, typeCode } from "./browser.js";

const baseUrl = process.env["API"] ?? "";
const issuer = new URL(baseUrl).origin;
const person = await representative(baseUrl);

// In a browser, by PKCE and a pushed request.
const app = await App.discover({
  issuer, clientId: "sandbox-payroll", redirectUri: "http://127.0.0.1/callback", scopes: ["declarations", "events", "offline_access"],
});
const login = await app.authorize({ services: ["declarations"] });
assert.deepEqual([...new URL(login.url).searchParams.keys()].sort(), ["client_id", "request_uri"]);
const back = await decide(person, login.url, "approve");
await assert.rejects(app.exchange({ ...login, state: "another" }, back), /state/);
await assert.rejects(app.exchange(login, back.replace(/iss=[^&]*/, "iss=https%3A%2F%2Fmix-up.example")), /iss/);
const store = memoryStore();
await store.save(await app.exchange(login, back));
const tokens = app.tokens(store);
const api = createDiresco({ baseUrl, tokens, language: "en" });

// A confidential application proves who it is by its key, and by no other.
const jwk = JSON.parse(process.env["BUREAU_KEY"] ?? "") as JsonWebKey & { kid: string };
const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const another = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]) as CryptoKeyPair;
const bureau = (key: CryptoKey) => App.discover({
  issuer, clientId: "sandbox-bureau", redirectUri: "http://127.0.0.1/callback", scopes: ["declarations"], key: { key, kid: jwk.kid },
}).then((a) => a.authorize());
assert.ok((await bureau(await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]))).url.includes("request_uri="));
await assert.rejects(bureau(another.privateKey), (error) => error instanceof Error && "error" in error && error.error === "invalid_client");

// A list, item by item.
const ids: string[] = [];
for await (const contributor of all((cursor) => ok(api.GET("/contributors", { params: { query: { limit: 1, ...cursor } } })))) {
  ids.push(contributor.contributor_id);
}
const [contributor_id] = ids;
assert.ok(contributor_id !== undefined && new Set(ids).size === ids.length);
const positions = await ok(api.GET("/contributors/{contributor_id}/positions", { params: { path: { contributor_id } } }));
const position_id = positions.items[0]?.position_id ?? "";
const type = await ok(api.GET("/declaration-types/{code}", { params: { path: { code: "RIOC" } } }));

// A refusal names the fields that are wrong.
const key = newKey();
const file = (content: Record<string, unknown>, idempotencyKey: string) => ok(api.POST("/contributors/{contributor_id}/declarations", {
  params: { path: { contributor_id }, header: { "Idempotency-Key": idempotencyKey } },
  body: { type: "RIOC", position_id, content, submit: true },
}));
await assert.rejects(file({}, newKey()), (error) =>
  error instanceof ProblemError && error.code === "validation-failed" && error.problem?.errors?.[0]?.pointer === "/content/average_monthly_pay");

const { next_cursor: begin } = await ok(api.GET("/events", { params: { query: { after: "latest" } } }));

// The same key files once.
const filed = await file(type.content_example, key);
assert.equal((await file(type.content_example, key)).declaration_id, filed.declaration_id);

// The receipt is verified without the service.
const keys = await fetchReceiptKeys(issuer);
const receipt = await verifyReceipt(keys, filed.receipt?.jws ?? "");
assert.equal(receipt.protocol_number, filed.protocol_number);
assert.equal(receipt.client_id, "sandbox-payroll");
assert.equal(await matchesContent(receipt, filed.content), true);
assert.equal(await matchesContent(receipt, { ...filed.content, remark: "1" }), false);
await assert.rejects(verifyReceipt(keys, `${(filed.receipt?.jws ?? "").slice(0, -4)}AAAA`), ReceiptError);
await assert.rejects(verifyReceipt(keys, "eyJhbGciOiJub25lIiwidHlwIjoicmVjZWlwdCtqd3MifQ.e30."), ReceiptError);

// What happened is heard of, and what happens.
let after = begin;
for await (const { event, cursor } of followEvents(api, { after: begin, types: ["declaration.submitted"] })) {
  assert.ok(event.type === "declaration.submitted" && event.subject.id === filed.declaration_id && event.contributor_id === contributor_id);
  after = cursor;
  break;
}
const following = followEvents(api, { after });
const heard = following.next();
const second = await file(type.content_example, newKey());
const { value: live } = await heard;
assert.ok(live !== undefined && live.event.subject.id === second.declaration_id);
await following.return();
const enough = new AbortController();
const ended = followEvents(api, { after: live.cursor, signal: enough.signal }).next();
enough.abort(new Error("enough"));
await assert.rejects(ended, /enough/);

// All who renew at once, here or in another process, are given the same, once.
const held = await store.load();
assert.ok(held?.refreshToken !== undefined);
const other = memoryStore();
await other.save(held);
const renewed = await Promise.all([1, 2, 3].map(() => tokens.accessToken(held.accessToken)));
assert.equal(new Set(renewed).size, 1);
await app.tokens(other).accessToken(held.accessToken);
assert.equal((await other.load())?.refreshToken, (await store.load())?.refreshToken);
await ok(api.GET("/contributors"));

// An answer that is lost, and a service that is away, are waited for, with the same key.
let lost = 2;
const sent: (string | null)[] = [];
const patient = createDiresco({
  baseUrl, tokens, wait: () => Promise.resolve(), fetch: async (request) => {
    sent.push(request.headers.get("idempotency-key"));
    const answer = await fetch(request);
    if (lost > 0) {
      lost--;
      throw new TypeError("the answer was lost");
    }
    return answer;
  },
});
const drafted = await ok(patient.POST("/contributors/{contributor_id}/declarations", {
  params: { path: { contributor_id }, header: { "Idempotency-Key": newKey() } }, body: { type: "RIOC", position_id, content: {} },
}));
assert.equal(drafted.state, "draft");
assert.ok(sent.length === 3 && new Set(sent).size === 1);

// By a code that is typed elsewhere.
const device = await app.startDevice();
await typeCode(person, device.verificationUri, device.userCode);
const elsewhere = await app.waitForDevice(device, () => Promise.resolve());
await ok(createDiresco({ baseUrl, tokens: staticToken(elsewhere.accessToken) }).GET("/contributors"));

// A webhook is believed by one signature, soon.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = JSON.stringify({
  type: "declaration.submitted", timestamp: "2026-03-16T08:15:04Z",
  data: { event_id: newKey(), subject: { kind: "declaration", id: filed.declaration_id } },
});
const at = String(Math.floor(Date.now() / 1000));
const mac = createHmac("sha256", Buffer.from(secret.slice(6), "base64")).update(`e1.${at}.${body}`).digest("base64");
const headers = { "webhook-id": "e1", "webhook-timestamp": at, "webhook-signature": `v1,AAAA v1,${mac}` };
const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
const whpk = `whpk_${Buffer.from(await crypto.subtle.exportKey("raw", pair.publicKey)).toString("base64")}`;
const byKey = Buffer.from(await crypto.subtle.sign("Ed25519", pair.privateKey, Buffer.from(`e1.${at}.${body}`))).toString("base64");
for (const [trusted, given] of [
  [secret, headers], [secret, new Headers(headers)], [["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", secret], headers],
  [whpk, { ...headers, "webhook-signature": `v1,AAAA v1a,${byKey}` }],
] as const) {
  assert.equal((await verifyWebhook([trusted].flat(), given, body)).data.subject.id, filed.declaration_id);
}
await assert.rejects(verifyWebhook(secret, headers, `${body} `), WebhookError);
await assert.rejects(verifyWebhook(whpk, headers, body), WebhookError);
await assert.rejects(verifyWebhook(secret, headers, body, new Date(Date.now() + 6 * 60_000)), WebhookError);
await assert.rejects(verifyWebhook(secret, {}, body), WebhookError);

// The end.
await tokens.end();
await assert.rejects(ok(api.GET("/contributors")), LoginAgainError);
const refused = await app.authorize();
await assert.rejects(app.exchange(refused, await decide(person, refused.url, "refuse")), (error) =>
  error instanceof Error && "error" in error && error.error === "access_denied");
console.log(`filed ${filed.protocol_number ?? ""}`);
