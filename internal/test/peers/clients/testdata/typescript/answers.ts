// What the package makes of answers that a sandbox does not give: each service here is a list of answers, given in turn.
import assert from "node:assert/strict";
import {
  App, createDiresco, followEvents, LoginAgainError, memoryStore, StreamEndedError, type TokenStore, verifyReceipt, webStore,
} from "@diresco/client";

const issuer = "https://diresco.example";
type Given = (init: RequestInit) => Response | Promise<Response>;
const json = (status: number, body: unknown, headers: Record<string, string> = {}): Given => () =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
const lost: Given = () => Promise.reject(new TypeError("the connection broke"));
const brokenOff: Given = () => new Response(new ReadableStream({ start: (c) => { c.error(new TypeError("broken off")); } }));
const tokensOf = (n: number): Given => json(200, {
  access_token: `access-${n}`, token_type: "bearer", expires_in: 600, refresh_token: `refresh-${n}`,
});

async function application(...given: Given[]) {
  const sent: { form: URLSearchParams; key: string | null }[] = [];
  const pauses: number[] = [];
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]) as CryptoKeyPair;
  const app = await App.discover({
    issuer, clientId: "a", redirectUri: "http://127.0.0.1/callback", scopes: [], key: { key: privateKey, kid: "k" },
    wait: (ms) => { pauses.push(ms); return Promise.resolve(); },
    fetch: async (url, init) => {
      if (url.includes(".well-known")) {
        return await json(200, {
          issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, revocation_endpoint: `${issuer}/revoke`,
          device_authorization_endpoint: `${issuer}/device`, authorization_response_iss_parameter_supported: true,
        })(init);
      }
      sent.push({ form: new URLSearchParams(String(init.body)), key: new Headers(init.headers).get("idempotency-key") });
      const next = given.length > 1 ? given.shift() : given[0];
      assert.ok(next);
      return next(init);
    },
  });
  return { app, sent, pauses };
}

async function keeping(store: TokenStore = memoryStore()): Promise<TokenStore> {
  await store.save({ accessToken: "access-1", expiresAt: 0, refreshToken: "refresh-1" });
  return store;
}

// A renewal is repeated with its key, and with another assertion each time.
for (const [name, given, requests, fails] of [
  ["at once", [tokensOf(2)], 1, false],
  ["lost twice", [lost, lost, tokensOf(2)], 3, false],
  ["broken in the body", [brokenOff, tokensOf(2)], 2, false],
  ["away, then busy", [json(503, {}, { "retry-after": "2" }), json(429, {}), json(502, {}), tokensOf(2)], 4, false],
  ["away too long", [json(503, {})], 4, true],
  ["asked for too long", [json(503, {}, { "retry-after": "55" }), tokensOf(2)], 1, true],
  ["refused", [json(400, { error: "invalid_grant" }), tokensOf(2)], 1, true],
] as const) {
  const { app, sent, pauses } = await application(...given);
  const got = await app.tokens(await keeping()).accessToken().catch(() => undefined);
  assert.equal(got, fails ? undefined : "access-2", name);
  assert.equal(sent.length, requests, name);
  assert.ok(pauses.length === requests - 1 && (name !== "away, then busy" || (pauses[0] ?? 0) >= 2000), name);
  assert.ok(sent.every((s) => s.form.get("refresh_token") === "refresh-1" && s.key !== null && s.key === sent[0]?.key), name);
  assert.equal(new Set(sent.map((s) => s.form.get("client_assertion"))).size, requests, name);
}

// A code is sent once.
for (const given of [lost, json(503, {})]) {
  const { app, sent } = await application(given);
  const login = { url: "", state: "s", verifier: "v".repeat(43) };
  await assert.rejects(app.exchange(login, `http://127.0.0.1/callback?code=c&state=s&iss=${encodeURIComponent(issuer)}`));
  assert.equal(sent.length, 1);
}

// A service that is away for a moment does not end the wait for a device.
{
  const away = json(503, {});
  const { app, sent } = await application(json(400, { error: "authorization_pending" }), away, lost, away, away, away, away, tokensOf(1));
  const device = { userCode: "u", verificationUri: "", deviceCode: "d", intervalMs: 1, expiresInMs: 600_000 };
  assert.equal((await app.waitForDevice(device, () => Promise.resolve())).accessToken, "access-1");
  assert.equal(sent.length, 8);
}

// What could not be kept is kept later, and not asked for again; what another has kept is newer; the end forgets all.
const kept = new Map<string, string>();
const storage = {
  getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => { kept.set(k, v); }, removeItem: (k: string) => { kept.delete(k); },
} as unknown as Storage;
for (const make of [memoryStore, () => webStore(storage)]) {
  const { app, sent } = await application(tokensOf(2), json(200, {}));
  const store = await keeping(make());
  let full = true;
  const failing: TokenStore = {
    ...store, save: (next) => {
      if (full) {
        full = false;
        return Promise.reject(new Error("full"));
      }
      return store.save(next);
    },
  };
  const tokens = app.tokens(failing);
  await assert.rejects(tokens.accessToken(), /full/);
  assert.equal(await tokens.accessToken(), "access-2");
  assert.equal(sent.length, 1);
  await tokens.end();
  assert.equal(sent[1]?.form.get("token"), "refresh-2");
  assert.equal(await store.load(), undefined);
  await assert.rejects(tokens.accessToken(), LoginAgainError);
}
{
  const store = await keeping();
  const { app } = await application(async (init) => {
    await store.save({ accessToken: "access-3", expiresAt: Date.now() + 600_000, refreshToken: "refresh-3" });
    return tokensOf(2)(init);
  });
  assert.equal(await app.tokens(store).accessToken(), "access-3");
  assert.equal((await store.load())?.refreshToken, "refresh-3");
}

// Tabs that share a store renew one at a time, so once.
{
  let last: Promise<unknown> = Promise.resolve();
  const locks = { request: (_: string, work: () => Promise<unknown>) => (last = last.then(work)) };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  const { app, sent } = await application(tokensOf(2));
  await keeping(webStore(storage));
  const got = await Promise.all([1, 2].map(() => app.tokens(webStore(storage)).accessToken("access-1")));
  assert.deepEqual(got, ["access-2", "access-2"]);
  assert.equal(sent.length, 1);
}

// Events are followed through every break, from what was heard last, also where nothing was to be seen.
const event = JSON.stringify({ event_id: "e", type: "declaration.submitted", at: "2026-03-16T08:15:04Z", subject: { kind: "declaration", id: "d" } });
const happened = (id: string) => `: hb\nid: ${id}\nevent: declaration.submitted\ndata: ${event}\n\n`;
const ending = (reason: string) => `event: end\ndata: {"reason":"${reason}"}\n\n`;
function streamed(pieces: string[], end: "closed" | "broken" | "silent" = "closed") {
  return (_: Request, { signal }: { signal: AbortSignal }) => {
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        signal.addEventListener("abort", () => { c.error(signal.reason); });
      },
      pull(c) {
        const piece = pieces.shift();
        if (piece !== undefined) {
          c.enqueue(new TextEncoder().encode(piece));
        } else if (end === "closed") {
          c.close();
        } else if (end === "broken") {
          c.error(new TypeError("broken"));
        }
        return undefined;
      },
    });
    return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  };
}
const unanswered = (_: Request, { signal }: { signal: AbortSignal }) => new Promise<Response>((_, no) => {
  signal.addEventListener("abort", () => { no(signal.reason as Error); });
});
const half = event.indexOf(',"at"') + 1;
const given = [
  streamed([], "broken"), streamed(["id: c1\n\n"], "broken"), streamed([happened("c2"), "id: c3\ndata: {"], "broken"), streamed([ending("too-slow")]),
  streamed([happened("c3").replaceAll("\n", "\r\n").slice(0, 6), happened("c3").replaceAll("\n", "\r\n").slice(6)]),
  () => Promise.resolve(new Response("", { status: 503 })), streamed([ending("server-stopping")]), unanswered, streamed([": hb\n"], "silent"),
  streamed([`id: c4\ndata: ${event.slice(0, half)}\ndata: ${event.slice(half)}\n\nevent: end\n\n`, happened("c5"), ending("session-ended")]),
];
// A minute is over at once: only the watchdogs have timers here.
const timer = globalThis.setTimeout;
globalThis.setTimeout = ((work: () => void, ms: number) => timer(work, ms === 60_000 ? 50 : ms)) as typeof setTimeout;
const from: (string | null)[] = [];
const api = createDiresco({
  baseUrl: `${issuer}/v1`, wait: () => Promise.resolve(), fetch: (request, init) => {
    from.push(request.headers.get("last-event-id"));
    return (given.shift() ?? unanswered)(request, init);
  },
});
const cursors: string[] = [];
await assert.rejects(async () => {
  for await (const { event: e, cursor } of followEvents(api, { after: "c0" })) {
    assert.equal(e.subject.id, "d");
    cursors.push(cursor);
  }
}, (error) => error instanceof StreamEndedError && error.reason === "session-ended" && error.cursor === "c5");
assert.deepEqual(cursors, ["c2", "c3", "c4", "c5"]);
assert.deepEqual(from, ["c0", "c0", "c1", "c2", "c2", "c3", "c3", "c3", "c3", "c3"]);

// The text of a QR code says four things.
{
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]) as CryptoKeyPair;
  const jwk = { ...await crypto.subtle.exportKey("jwk", pair.publicKey), kid: "receipt-1", alg: "ES256" } as { kty: string };
  const text = [{ alg: "ES256", typ: "receipt+jws", kid: "receipt-1" }, { n: "INPS.1", t: "2026-03-16T08:15:04Z", d: "sha-256:00", id: "d" }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = Buffer.from(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, Buffer.from(text))).toString("base64url");
  assert.deepEqual(await verifyReceipt({ keys: [jwk] }, `${text}.${signature}`), {
    protocol_number: "INPS.1", submitted_at: "2026-03-16T08:15:04Z", digest: "sha-256:00", declaration_id: "d",
  });
}
console.log("as said");
