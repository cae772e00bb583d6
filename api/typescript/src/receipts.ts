import { compactVerify, createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet } from "jose";

/** A tax code that only who knows it can recognise. */
export interface SaltedCode {
  salt: string;
  sha256: string;
}

/** What a signed receipt says. */
export interface SignedReceipt {
  iss: string;
  protocol_number: string;
  submitted_at: string;
  digest: string;
  declaration_id: string;
  type: string;
  type_version: number;
  contributor_id: string;
  position_id: string;
  acting_as: string;
  right_id: string;
  filed_by: string;
  client_id?: string;
  filer_tax_code: SaltedCode;
  contributor_tax_code: SaltedCode;
  step?: string;
  reservation_id?: string;
}

/** What is known of a receipt that was verified: the text in the QR code of a printed one says four things alone. */
export type VerifiedReceipt = Pick<SignedReceipt, "protocol_number" | "submitted_at" | "digest" | "declaration_id"> & Partial<SignedReceipt>;

/** A text is no receipt that the published keys signed. */
export class ReceiptError extends Error {
  override readonly name = "ReceiptError";
}

/** Gets the keys that an issuer publishes. Do it once a day, or when a receipt is of a key that is not there. */
export async function fetchReceiptKeys(issuer: string, get: typeof fetch = fetch): Promise<JSONWebKeySet> {
  const answer = await get(new URL("/.well-known/jwks.json", issuer));
  if (!answer.ok) {
    throw new Error(`the published keys: ${answer.status}`);
  }
  return (await answer.json()) as JSONWebKeySet;
}

/**
 * Returns what a receipt says, without asking the service, or throws a `ReceiptError`. Whether the register has it only the service
 * knows (verifyReceipt); that matters once a key was stolen. It takes the text in the QR code of a printed receipt as well.
 */
export async function verifyReceipt(keys: JSONWebKeySet, jws: string): Promise<VerifiedReceipt> {
  const text = jws.trim();
  try {
    // Nothing but receipts is signed under this name; a key that the text brings with it counts for nothing.
    const head = decodeProtectedHeader(text);
    if (head.typ !== "receipt+jws" || head.kid === undefined) {
      throw new ReceiptError("not a receipt");
    }
    const { payload } = await compactVerify(text, createLocalJWKSet(keys), { algorithms: ["ES256"] });
    const says = JSON.parse(new TextDecoder().decode(payload)) as SignedReceipt | Printed;
    return "n" in says ? { protocol_number: says.n, submitted_at: says.t, digest: says.d, declaration_id: says.id } : says;
  } catch (error) {
    throw new ReceiptError("not a receipt of this service", { cause: error });
  }
}

/** What the text of a QR code says. */
interface Printed {
  n: string;
  t: string;
  d: string;
  id: string;
}

/** Reports whether this content is what was declared: the digest is that of its canonical form (RFC 8785). */
export async function matchesContent(receipt: VerifiedReceipt, content: unknown): Promise<boolean> {
  const { type, type_version: version, contributor_id, position_id } = receipt;
  const sum = await crypto.subtle.digest(
    "SHA-256", new TextEncoder().encode(canonical({ type, version, contributor_id, position_id, content })),
  );
  return receipt.digest === `sha-256:${[...new Uint8Array(sum)].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

/** Writes JSON as RFC 8785 does: members in the order of their UTF-16 code units, numbers and texts as ECMAScript does. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).filter(([, v]) => v !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}
