import * as oauth from "oauth4webapi";
import type { TokenSource } from "./client.js";
import { retryAfterMs } from "./problem.js";
import { jitter, wait } from "./retry.js";

export interface AppOptions {
  /** The address of the service, such as `https://diresco.example`. */
  issuer: string;
  clientId: string;
  /** Where people come back to; the device flow needs none. */
  redirectUri?: string;
  scopes: string[];
  /** The private key of a confidential application (ES256 or RS256) with its `kid`. Never in a browser. */
  key?: { key: CryptoKey; kid: string };
  /** Sends the requests; that of the platform if left out. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Waits between tries. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How often a request is sent, but the one with a code: that is good once. */
const tries = 4;
/** How long one try may take. */
const tryMs = 15_000;
/** The service gives the same successor to who renews a token again within a minute; later, that ends the grant. */
const renewalMs = 50_000;

/** Limits what a person is asked for (RFC 9396). What is left out is not limited. */
export interface Access {
  contributors?: string[];
  services?: string[];
}

/** A login on its way. Keep it where the person comes back to, such as `sessionStorage`, and send them to `url`. */
export interface Authorization {
  url: string;
  state: string;
  verifier: string;
}

/** The tokens of a grant, as they are kept. */
export interface TokenSet {
  accessToken: string;
  /** When the access token expires, in milliseconds since 1970. */
  expiresAt: number;
  refreshToken?: string;
  scope?: string;
}

/** A code that somebody types elsewhere to let a program in. */
export interface Device {
  userCode: string;
  verificationUri: string;
  deviceCode: string;
  intervalMs: number;
  /** How long the code is good. */
  expiresInMs: number;
}

/** There is no grant, or none any more: nothing but another login helps. */
export class LoginAgainError extends Error {
  override readonly name = "LoginAgainError";
}

/** An application that people let in. It never sees a PIN. */
export class App {
  readonly #options: AppOptions;
  readonly #as: oauth.AuthorizationServer;
  readonly #client: oauth.Client;
  readonly #auth: oauth.ClientAuth;
  readonly #http: Requests;

  private constructor(options: AppOptions, as: oauth.AuthorizationServer) {
    this.#options = options;
    this.#as = as;
    this.#client = { client_id: options.clientId };
    this.#auth = options.key === undefined ? oauth.None() : oauth.PrivateKeyJwt(options.key);
    this.#http = requests(options);
  }

  /** Reads where the service takes what (RFC 8414). */
  static async discover(options: AppOptions): Promise<App> {
    const issuer = new URL(options.issuer);
    const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...requests(options) });
    return new App(options, await oauth.processDiscoveryResponse(issuer, answer));
  }

  /** Begins a login: the request is pushed to the service (RFC 9126), with PKCE, so that nothing of it stands in the address. */
  async authorize(...limits: Access[]): Promise<Authorization> {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const asked = new URLSearchParams({
      client_id: this.#options.clientId, response_type: "code", redirect_uri: this.#redirect, state, scope: this.#options.scopes.join(" "),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    });
    if (limits.length > 0) {
      asked.set("authorization_details", JSON.stringify(limits.map((l) => ({ type: "diresco_access", contributors: "all", ...l }))));
    }
    const pushed = await oauth.processPushedAuthorizationResponse(
      this.#as, this.#client, await this.#again((http) => oauth.pushedAuthorizationRequest(this.#as, this.#client, this.#auth, asked, http)),
    );
    const url = new URL(this.#as.authorization_endpoint ?? "");
    url.search = new URLSearchParams({ client_id: this.#options.clientId, request_uri: pushed.request_uri }).toString();
    return { url: url.href, state, verifier };
  }

  /** Ends a login: takes the address at which the person came back. It throws where they, or the service, said no (`error` tells). */
  async exchange(login: Authorization, cameBackTo: URL | string): Promise<TokenSet> {
    const back = oauth.validateAuthResponse(this.#as, this.#client, new URL(cameBackTo), login.state);
    const answer = await oauth.authorizationCodeGrantRequest(
      this.#as, this.#client, this.#auth, back, this.#redirect, login.verifier, this.#http,
    );
    return kept(await oauth.processAuthorizationCodeResponse(this.#as, this.#client, answer));
  }

  /** Begins the login of somebody elsewhere: show them `verificationUri` and `userCode`. */
  async startDevice(): Promise<Device> {
    const answer = await this.#again((http) => oauth.deviceAuthorizationRequest(
      this.#as, this.#client, this.#auth, { scope: this.#options.scopes.join(" ") }, http,
    ));
    const device = await oauth.processDeviceAuthorizationResponse(this.#as, this.#client, answer);
    return {
      userCode: device.user_code, verificationUri: device.verification_uri, deviceCode: device.device_code,
      intervalMs: (device.interval ?? 5) * 1000, expiresInMs: device.expires_in * 1000,
    };
  }

  /** Returns the first tokens once somebody has let the program in, and throws if they did not, or not in time. */
  async waitForDevice(device: Device, pause: (ms: number) => Promise<void> = (ms) => new Promise((r) => setTimeout(r, ms))): Promise<TokenSet> {
    let interval = device.intervalMs;
    for (;;) {
      await pause(interval);
      try {
        const answer = await this.#again(
          (http) => oauth.deviceCodeGrantRequest(this.#as, this.#client, this.#auth, device.deviceCode, http), device.expiresInMs, Infinity,
        );
        return kept(await oauth.processDeviceCodeResponse(this.#as, this.#client, answer));
      } catch (error) {
        if (!(error instanceof oauth.ResponseBodyError) || !["authorization_pending", "slow_down"].includes(error.error)) {
          throw error;
        }
        if (error.error === "slow_down") {
          interval += 5000;
        }
      }
    }
  }

  /**
   * Returns the next tokens. The request has a key made of the refresh token: so all who renew it at once (tabs, processes), or again
   * within a minute since the answer was lost, are given the same successor.
   */
  async refresh(refreshToken: string): Promise<TokenSet> {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`refresh ${refreshToken}`));
    const key = btoa(String.fromCharCode(...new Uint8Array(sum))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    try {
      const answer = await this.#again((http) => oauth.refreshTokenGrantRequest(this.#as, this.#client, this.#auth, refreshToken, {
        ...http, headers: { "idempotency-key": key },
      }), renewalMs);
      return kept(await oauth.processRefreshTokenResponse(this.#as, this.#client, answer));
    } catch (error) {
      if (error instanceof oauth.ResponseBodyError && error.error === "invalid_grant") {
        throw new LoginAgainError("the person must let the application in again", { cause: error });
      }
      throw error;
    }
  }

  /** Ends what a person let the application do (RFC 7009). */
  async revoke(token: string): Promise<void> {
    await oauth.processRevocationResponse(
      await this.#again((http) => oauth.revocationRequest(this.#as, this.#client, this.#auth, token, http)),
    );
  }

  /** Sends again what was lost on its way, or came while the service was away; each try proves anew who the application is. */
  async #again(request: (http: Requests & { signal: AbortSignal }) => Promise<Response>, withinMs = Infinity, most = tries): Promise<Response> {
    const begun = Date.now();
    for (let attempt = 1; ; attempt++) {
      let answer: Response | undefined;
      let failure: unknown;
      try {
        answer = await whole(await request({ ...this.#http, signal: AbortSignal.timeout(Math.min(tryMs, begun + withinMs - Date.now())) }));
        if (answer.status !== 429 && answer.status < 500) {
          return answer;
        }
      } catch (error) {
        failure = error;
      }
      const asked = answer === undefined ? 0 : (retryAfterMs(answer) ?? 0);
      const next = asked + jitter(attempt);
      if (attempt >= most || asked > 60_000 || Date.now() + next >= begun + withinMs) {
        if (answer === undefined) {
          throw failure;
        }
        return answer;
      }
      await (this.#options.wait ?? wait)(next, new AbortController().signal);
    }
  }

  /** The tokens of a grant that a store keeps, renewed when they must be, once for all who wait. */
  tokens(store: TokenStore): Tokens {
    return new Tokens(this, store);
  }

  get #redirect(): string {
    if (this.#options.redirectUri === undefined) {
      throw new Error("no redirectUri");
    }
    return this.#options.redirectUri;
  }
}

interface Requests {
  [oauth.customFetch]?: (url: string, init: oauth.CustomFetchOptions<string, unknown>) => Promise<Response>;
  [oauth.allowInsecureRequests]: boolean;
}

/** How requests are sent. Only a sandbox on this machine does without TLS. */
function requests(options: AppOptions): Requests {
  const local = ["127.0.0.1", "[::1]", "localhost"].includes(new URL(options.issuer).hostname);
  const own = options.fetch;
  return {
    [oauth.allowInsecureRequests]: local,
    ...(own === undefined ? {} : { [oauth.customFetch]: (url: string, init: unknown) => own(url, init as RequestInit) }),
  };
}

/** Reads all of an answer: one whose body is lost is lost. */
async function whole(answer: Response): Promise<Response> {
  const { status, statusText, headers } = answer;
  const body = await answer.arrayBuffer();
  return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers });
}

function kept(answer: oauth.TokenEndpointResponse): TokenSet {
  return {
    accessToken: answer.access_token,
    expiresAt: Date.now() + (answer.expires_in ?? 0) * 1000,
    ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
    ...(answer.scope === undefined ? {} : { scope: answer.scope }),
  };
}

/** Keeps the tokens of one grant. Each renewal has another refresh token; what was saved last must be what `load` returns. */
export interface TokenStore {
  load(): Promise<TokenSet | undefined>;
  save(tokens: TokenSet): Promise<void>;
  /** Forgets what was saved. */
  delete(): Promise<void>;
  /** Runs one renewal at a time among all who share the store, where it can. */
  alone?<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps tokens as long as the program runs. */
export function memoryStore(): TokenStore {
  let held: TokenSet | undefined;
  return {
    load: () => Promise.resolve(held),
    save: (tokens) => {
      held = tokens;
      return Promise.resolve();
    },
    delete: () => {
      held = undefined;
      return Promise.resolve();
    },
  };
}

/**
 * Keeps tokens in the storage of a browser, for all tabs that share it: `localStorage`. A tab that is duplicated takes a copy of
 * `sessionStorage` with it; two tabs that then renew the same token more than a minute apart end the grant.
 */
export function webStore(storage: Storage, name = "diresco"): TokenStore {
  return {
    load: () => {
      const text = storage.getItem(name);
      return Promise.resolve(text === null ? undefined : (JSON.parse(text) as TokenSet));
    },
    save: (tokens) => {
      storage.setItem(name, JSON.stringify(tokens));
      return Promise.resolve();
    },
    delete: () => {
      storage.removeItem(name);
      return Promise.resolve();
    },
    alone: async (work) => {
      const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks; // none without TLS, nor in older programs
      return locks === undefined ? work() : await locks.request(`${name} tokens`, work);
    },
  };
}

/** An access token is renewed so long before it expires. */
const leewayMs = 10_000;

/** The tokens of one grant. */
export class Tokens implements TokenSource {
  readonly #app: App;
  readonly #store: TokenStore;
  #renewing: Promise<string> | undefined;
  /** What could not be kept yet, in the place of what has that refresh token. */
  #unsaved: { next: TokenSet; before: string } | undefined;

  constructor(app: App, store: TokenStore) {
    this.#app = app;
    this.#store = store;
  }

  /** Implements `TokenSource`. It throws a `LoginAgainError` when there is no grant any more. */
  async accessToken(refused?: string): Promise<string> {
    const held = await this.#store.load();
    if (held !== undefined && this.#unsaved === undefined && usable(held, refused)) {
      return held.accessToken;
    }
    // All who wait are given what the first of them is.
    const renew = () => this.#renew(refused);
    this.#renewing ??= (this.#store.alone?.(renew) ?? renew()).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(refused: string | undefined): Promise<string> {
    if (this.#unsaved === undefined) {
      // Another may have been quicker.
      const held = await this.#store.load();
      if (held !== undefined && usable(held, refused)) {
        return held.accessToken;
      }
      if (held?.refreshToken === undefined) {
        throw new LoginAgainError("nobody has let the application in");
      }
      this.#unsaved = { next: await this.#app.refresh(held.refreshToken), before: held.refreshToken };
    }
    const { next, before } = this.#unsaved;
    // What another has kept meanwhile is newer.
    const held = await this.#store.load();
    if (held?.refreshToken === before) {
      await this.#store.save(next);
    }
    this.#unsaved = undefined;
    if (held === undefined) {
      throw new LoginAgainError("the grant was ended meanwhile");
    }
    return held.refreshToken === before ? next.accessToken : held.accessToken;
  }

  /** Withdraws the grant at the service, and forgets its tokens once that is done. */
  async end(): Promise<void> {
    const held = this.#unsaved?.next ?? (await this.#store.load());
    if (held !== undefined) {
      await this.#app.revoke(held.refreshToken ?? held.accessToken);
    }
    this.#unsaved = undefined;
    await this.#store.delete();
  }
}

function usable(held: TokenSet, refused: string | undefined): boolean {
  return held.accessToken !== refused && held.expiresAt - leewayMs > Date.now();
}
