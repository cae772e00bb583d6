import * as oauth from "oauth4webapi";
import type { TokenSource } from "./client.js";

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
}

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
      this.#as, this.#client, await oauth.pushedAuthorizationRequest(this.#as, this.#client, this.#auth, asked, this.#http),
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
    const answer = await oauth.deviceAuthorizationRequest(
      this.#as, this.#client, this.#auth, { scope: this.#options.scopes.join(" ") }, this.#http,
    );
    const device = await oauth.processDeviceAuthorizationResponse(this.#as, this.#client, answer);
    return {
      userCode: device.user_code, verificationUri: device.verification_uri, deviceCode: device.device_code,
      intervalMs: (device.interval ?? 5) * 1000,
    };
  }

  /** Returns the first tokens once somebody has let the program in, and throws if they did not, or not in time. */
  async waitForDevice(device: Device, pause: (ms: number) => Promise<void> = (ms) => new Promise((r) => setTimeout(r, ms))): Promise<TokenSet> {
    let interval = device.intervalMs;
    for (;;) {
      await pause(interval);
      try {
        const answer = await oauth.deviceCodeGrantRequest(this.#as, this.#client, this.#auth, device.deviceCode, this.#http);
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
      const answer = await oauth.refreshTokenGrantRequest(this.#as, this.#client, this.#auth, refreshToken, {
        ...this.#http, headers: { "idempotency-key": key },
      });
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
    await oauth.processRevocationResponse(await oauth.revocationRequest(this.#as, this.#client, this.#auth, token, this.#http));
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
  };
}

/** Keeps tokens in the storage of a browser, such as `sessionStorage`, for all tabs that share it. */
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
  };
}

/** An access token is renewed so long before it expires. */
const leewayMs = 10_000;

/** The tokens of one grant. */
export class Tokens implements TokenSource {
  readonly #app: App;
  readonly #store: TokenStore;
  #renewing: Promise<string> | undefined;

  constructor(app: App, store: TokenStore) {
    this.#app = app;
    this.#store = store;
  }

  /** Implements `TokenSource`. It throws a `LoginAgainError` when there is no grant any more. */
  async accessToken(refused?: string): Promise<string> {
    const held = await this.#store.load();
    if (held !== undefined && held.accessToken !== refused && held.expiresAt - leewayMs > Date.now()) {
      return held.accessToken;
    }
    // All who wait are given what the first of them is.
    this.#renewing ??= this.#renew(held).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(held: TokenSet | undefined): Promise<string> {
    if (held?.refreshToken === undefined) {
      throw new LoginAgainError("nobody has let the application in");
    }
    const next = await this.#app.refresh(held.refreshToken);
    await this.#store.save(next);
    return next.accessToken;
  }

  /** Withdraws the grant at the service. */
  async end(): Promise<void> {
    const held = await this.#store.load();
    if (held !== undefined) {
      await this.#app.revoke(held.refreshToken ?? held.accessToken);
    }
  }
}
