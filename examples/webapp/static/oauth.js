// The login: authorization code with PKCE (RFC 7636), pushed request (RFC 9126), refresh tokens that
// are used once. The page never sees a PIN.

const SCOPES = 'declarations delegations.read events offline_access'
const redirectURI = `${location.origin}/callback`

// Told by whoever calls that nobody is logged in any more.
export class LoggedOut extends Error {}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

// Tokens live as long as this tab, and no longer.
const store = (key) => ({
  get: () => JSON.parse(sessionStorage.getItem(key)),
  set: (value) => sessionStorage.setItem(key, JSON.stringify(value)),
  clear: () => sessionStorage.removeItem(key),
})
const tokens = store('tokens')
const login = store('login')
const tab = store('tab')

// Holds a name for as long as the page is open. Rejects when another page does not let go of it.
const hold = (name) =>
  new Promise((resolve, reject) => {
    const held = () => new Promise((release) => {
      addEventListener('pagehide', release, { once: true })
      resolve()
    })
    navigator.locks.request(name, { signal: AbortSignal.timeout(2000) }, held).catch(reject)
  })

// Tells a tab from its copy. Whoever duplicates a tab, or opens a window from it, copies what it has
// stored, and a refresh token works once: a second use ends the login in both. So a copy, which finds
// the name of its tab held, forgets the login and begins anew. A page that is loaded again waits for
// the one before it to let go, which is at once.
export async function claim() {
  // A page out of the browser's memory holds nothing any more.
  addEventListener('pageshow', (event) => event.persisted && location.reload())
  if (tab.get()) {
    try {
      return await hold(`tab ${tab.get()}`)
    } catch {
      sessionStorage.clear()
    }
  }
  tab.set(crypto.randomUUID())
  await hold(`tab ${tab.get()}`)
}

export class OAuth {
  #config
  #metadata
  #renewing = null

  constructor(config) {
    this.#config = config
  }

  get loggedIn() {
    return tokens.get() !== null
  }

  // The service says itself where its endpoints are (RFC 8414). It must be who we think it is.
  async #discover() {
    if (this.#metadata) return this.#metadata
    const answer = await fetch(`${this.#config.service}/.well-known/oauth-authorization-server`)
    const metadata = await answer.json()
    if (metadata.issuer !== this.#config.service) throw new Error(`another issuer: ${metadata.issuer}`)
    return (this.#metadata = metadata)
  }

  async #post(endpoint, form, headers = {}) {
    const answer = await fetch(endpoint, {
      method: 'POST', headers, body: new URLSearchParams({ client_id: this.#config.client_id, ...form }), cache: 'no-store',
      // Four tries are over within the minute in which a renewal can be repeated.
      signal: AbortSignal.timeout(10_000),
    })
    const body = answer.status === 200 || answer.status >= 400 || answer.status === 201 ? await answer.text() : ''
    const read = body ? JSON.parse(body) : {}
    if (!answer.ok) throw Object.assign(new Error(read.error_description ?? read.error), { code: read.error, status: answer.status })
    return read
  }

  // Leaves the page for the service's own. It comes back to /callback.
  async begin(language) {
    const metadata = await this.#discover()
    const flow = { state: random(), verifier: random() }
    const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(flow.verifier)))
    const { request_uri } = await this.#post(metadata.pushed_authorization_request_endpoint, {
      response_type: 'code', redirect_uri: redirectURI, scope: SCOPES, state: flow.state,
      code_challenge: challenge, code_challenge_method: 'S256', ui_locales: language,
    })
    login.set(flow)
    location.assign(`${metadata.authorization_endpoint}?${new URLSearchParams({ client_id: this.#config.client_id, request_uri })}`)
  }

  // Takes what the service sent the browser back with. Returns false where the user said no.
  async finish() {
    const back = new URLSearchParams(location.search)
    history.replaceState(null, '', '/') // a code is nothing for the history
    const flow = login.get()
    login.clear()
    if (!flow || back.get('state') !== flow.state || back.get('iss') !== this.#config.service) throw new Error('this is no answer to a login of this page')
    if (back.get('error') === 'access_denied') return false
    if (!back.get('code')) throw new Error(back.get('error_description') ?? back.get('error'))
    const metadata = await this.#discover()
    this.#keep(await this.#post(metadata.token_endpoint, {
      grant_type: 'authorization_code', code: back.get('code'), redirect_uri: redirectURI, code_verifier: flow.verifier,
    }))
    return true
  }

  #keep(answer) {
    tokens.set({
      access: answer.access_token, refresh: answer.refresh_token, until: Date.now() + answer.expires_in * 1000,
      // With this key the next renewal can be repeated, should its answer be lost on the way.
      key: crypto.randomUUID(),
    })
  }

  // The access token; a new one when the old one ends, or has been refused.
  async token(refused) {
    const now = tokens.get()
    if (!now) throw new LoggedOut()
    if (now.access !== refused && Date.now() < now.until - 30_000) return now.access
    // A refresh token works once: all who wait are served by the same renewal.
    this.#renewing ??= this.#renew(now).finally(() => (this.#renewing = null))
    await this.#renewing
    const renewed = tokens.get()
    if (!renewed) throw new LoggedOut() // somebody logged out meanwhile
    return renewed.access
  }

  async #renew({ refresh, key }) {
    const metadata = await this.#discover()
    const form = { grant_type: 'refresh_token', refresh_token: refresh }
    for (let tries = 1; ; tries++) {
      try {
        const answer = await this.#post(metadata.token_endpoint, form, { 'Idempotency-Key': key })
        if (tokens.get()?.refresh === refresh) this.#keep(answer) // unless somebody logged out meanwhile
        return
      } catch (error) {
        if (error.status === 400 || error.status === 401) { // invalid_grant above all
          tokens.clear()
          throw new LoggedOut()
        }
        if (tries === 4) throw error
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries))
      }
    }
  }

  // Forgets the tokens, which the service does not take any more.
  forget() {
    tokens.clear()
  }

  // Gives the tokens back, which ends what they could do.
  async end() {
    const now = tokens.get()
    this.forget()
    if (!now) return
    const metadata = await this.#discover()
    await this.#post(metadata.revocation_endpoint, { token: now.refresh })
  }
}
