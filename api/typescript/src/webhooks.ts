/** What the service tells an endpoint. It is thin: look at the subject for more. */
export interface WebhookCall {
  type: string;
  timestamp: string;
  data: {
    /** The same for each repeat: what was seen before needs no second look. */
    event_id: string;
    contributor_id?: string;
    subject: { kind: string; id: string };
    url?: string;
  };
}

/** A call is not to be believed: who sent it, or when, was not proved. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
}

const toleranceMs = 5 * 60_000;

/** The headers of a call: those of `fetch`, those of node (`request.headers`), or a plain object. */
export type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/**
 * Returns what a call says (Standard Webhooks 1.0), or throws a `WebhookError`. It takes what the endpoint was given: secrets
 * (`whsec_…`, two while one takes the other's place), its public key (`whpk_…`), or both. The body is as it came.
 */
export async function verifyWebhook(
  secretsAndKeys: string | string[], headers: WebhookHeaders, body: string | Uint8Array<ArrayBuffer>, now: Date = new Date(),
): Promise<WebhookCall> {
  const id = header(headers, "webhook-id");
  const at = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature");
  if (id === "" || signatures === "" || !/^\d{1,12}$/.test(at)) {
    throw new WebhookError("a header is missing");
  }
  if (Math.abs(now.getTime() - Number(at) * 1000) > toleranceMs) {
    throw new WebhookError("its time is not about now");
  }
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${at}.${text}`);
  for (const trusted of [secretsAndKeys].flat()) {
    const { key, version, algorithm } = await read(trusted);
    for (const one of signatures.split(" ")) {
      const [of, encoded] = one.split(",", 2);
      const signature = of === version && encoded !== undefined ? bytes(encoded) : undefined;
      if (signature !== undefined && (await crypto.subtle.verify(algorithm, key, signature, signed))) {
        return JSON.parse(text) as WebhookCall;
      }
    }
  }
  throw new WebhookError("no signature fits");
}

async function read(trusted: string): Promise<{ key: CryptoKey; version: string; algorithm: string }> {
  const [prefix, encoded = ""] = trusted.split("_", 2);
  const raw = bytes(encoded);
  if (prefix === "whsec" && raw !== undefined && raw.length > 0) {
    return { key: await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]), version: "v1", algorithm: "HMAC" };
  }
  if (prefix === "whpk" && raw?.length === 32) {
    return { key: await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]), version: "v1a", algorithm: "Ed25519" };
  }
  throw new TypeError("a secret is whsec_ and base64, a public key whpk_ and base64");
}

function bytes(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function header(headers: WebhookHeaders, name: string): string {
  if (headers instanceof Headers) {
    return headers.get(name) ?? "";
  }
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === "string" ? found : "";
}
