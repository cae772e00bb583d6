import createClient, { type Client } from "openapi-fetch";
import { problemOf } from "./problem.js";
import { type RetryOptions, send } from "./retry.js";
import type { paths } from "./schema.js";

/** Gives the access token of a request. */
export interface TokenSource {
  /** A token that is good. It is not the one that was refused, if one was. */
  accessToken(refused?: string): Promise<string>;
}

/** An access token that nobody renews, such as that of a session in the sandbox. */
export function staticToken(token: string): TokenSource {
  return { accessToken: () => Promise.resolve(token) };
}

export interface ClientOptions extends RetryOptions {
  /** Where the API is, such as `https://diresco.example/v1`. */
  baseUrl: string;
  /** Lets the requests in: those of an application (`App.tokens`), or `staticToken`. Without, they are nobody's. */
  tokens?: TokenSource;
  /** The language of texts. */
  language?: "it" | "en";
}

/** The client that openapi-fetch makes of the contract, and what stands below it. */
export interface DirescoClient extends Client<paths> {
  readonly options: ClientOptions;
  /** Sends a request as the client does: with a token, again while that may help. It gives refusals as answers. See `send`. */
  readonly send: (request: Request, headersWithinMs?: number, until?: { signal: AbortSignal }) => Promise<Response>;
}

/**
 * Returns the client of the whole API. What is safe to send again is sent again while the service is away or busy, each POST with an
 * `Idempotency-Key`; an access token that has expired is renewed.
 */
export function createDiresco(options: ClientOptions): DirescoClient {
  const sender = async (request: Request, headersWithinMs?: number, until: { signal: AbortSignal } = request): Promise<Response> => {
    const headers = new Headers(request.headers);
    if (request.method === "POST" && !headers.get("idempotency-key")) {
      headers.set("idempotency-key", crypto.randomUUID());
    }
    if (options.language !== undefined && !headers.has("accept-language")) {
      headers.set("accept-language", options.language);
    }
    const own = headers.has("authorization");
    const token = own ? undefined : await options.tokens?.accessToken();
    if (token !== undefined) {
      headers.set("authorization", `Bearer ${token}`);
    }
    const prepared = new Request(request, { headers });
    const again = prepared.clone();
    const answer = await send(prepared, options, headersWithinMs, until);
    if (answer.status !== 401 || token === undefined || options.tokens === undefined) {
      return answer;
    }
    const renewed = await options.tokens.accessToken(token);
    if (renewed === token) {
      return answer;
    }
    headers.set("authorization", `Bearer ${renewed}`);
    return send(new Request(again, { headers }), options, headersWithinMs, until);
  };
  const client = createClient<paths>({ baseUrl: options.baseUrl, fetch: (request) => sender(request) });
  return Object.assign(client, { options, send: sender });
}

/** What openapi-fetch answers, as far as `ok` looks at it. */
interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** The data of an answer that is a success. */
export type DataOf<A> = A extends { data: infer D } ? Exclude<D, undefined> : never;

/** Returns the data of an answer, or throws a `ProblemError`: `const page = await ok(api.GET("/contributors"))`. */
export async function ok<A extends Answer>(call: Promise<A>): Promise<DataOf<A>> {
  const answer = await call;
  if (answer.response.ok) {
    return answer.data as DataOf<A>;
  }
  const { status, statusText, headers } = answer.response;
  // The body was read already.
  const body = typeof answer.error === "string" ? answer.error : JSON.stringify(answer.error);
  throw await problemOf(new Response(body, { status, statusText, headers }));
}

/** A new `Idempotency-Key`. Keep it until there is an answer: a repeat with the same key does nothing twice. */
export function newKey(): string {
  return crypto.randomUUID();
}
