// Runs the script of the documentation without its viewer, and sees what it tells the viewer to show.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import vm from "node:vm";

const service = process.env.SERVICE;
const ask = (path, options) => fetch(service + path, options);

// A viewer that keeps what it is told.
let options, login;
const tokens = {};
const bundle = Object.assign((given) => {
  options = given;
  return { preauthorizeApiKey: (scheme, token) => { tokens[scheme] = token; } };
}, { presets: { apis: "apis" } });
const elements = {
  login: { addEventListener: (event, act) => { assert.equal(event, "click"); login = act; } },
  "logged-in": { textContent: "" },
};
const shown = vm.runInNewContext(`${readFileSync("docs.js", "utf8")}\nshown`, {
  window: { SwaggerUIBundle: bundle, crypto }, document: { getElementById: (id) => elements[id] ?? null }, fetch: ask, Uint8Array,
});
await shown;

assert.equal(options.docExpansion, "none", "operations are folded");
const contract = await (await ask("/openapi.json")).json();
const samples = await (await ask("/assets/samples.json")).json();
const needsNone = (operation) => (operation.security ?? []).some((requirement) => Object.keys(requirement).length === 0);
const operations = (of) => Object.values(of.paths).flatMap((path) => Object.values(path)).filter((part) => part.operationId);
const open = operations(contract).filter(needsNone).map((operation) => operation.operationId);
assert.ok(open.includes("startSession") && !open.includes("draftDeclaration"));

let told;
options.plugins[0]().statePlugins.spec.wrapActions.updateJsonSpec((given) => { told = given; })(structuredClone(contract));
for (const operation of operations(told)) {
  const id = operation.operationId;
  assert.equal(operation.summary.endsWith("\u{1F513}"), open.includes(id), `the open lock at ${id}`);
  assert.equal(operation.security?.length === 0, open.includes(id), `the closed lock at ${id}`);
  assert.ok(!("x-sample" in operation), id);
  for (const { label, source } of samples[id] ?? []) {
    assert.ok(operation.description.includes(`**${label}**`) && operation.description.includes(source), `${label} at ${id}`);
  }
}

// Each try is an intent of its own.
const keys = [1, 2].map(() => options.requestInterceptor({ headers: { "Idempotency-Key": "example" } }).headers["Idempotency-Key"]);
assert.ok(keys[0] !== keys[1] && !keys.includes("example"));

// One click logs the first test person in.
await login();
const me = await ask("/v1/me", { headers: { Authorization: `Bearer ${tokens.bearer}` } });
assert.equal(me.status, 200);
assert.match(elements["logged-in"].textContent, /is logged in for \d+ minutes/);
console.log("shown");
