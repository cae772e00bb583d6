// Requests to the service, with the token, and again where that helps.
import { LoggedOut } from './oauth.js'

// A refusal of the service (RFC 9457). `code` says what kind, `errors` which fields, `retryAfter` how
// many seconds to wait before another try.
export class Problem extends Error {
  constructor(status, body, retryAfter = 0) {
    super(body.detail ?? `HTTP ${status}`)
    Object.assign(this, { status, code: body.code, errors: body.errors ?? [], retryAfter })
  }

  // Whether the request may have another answer by and by: what stands between, or the service, is
  // busy or away, or the same request is still at work. Everything else is a decision.
  get passes() {
    return [429, 502, 503, 504].includes(this.status) || ['busy', 'rate-limited', 'request-in-progress', 'unavailable'].includes(this.code)
  }
}

// How often a request is sent at most, and how many seconds it waits at most before another try.
const mostTries = 5
const longestWait = 60

export const pause = (ms, signal) =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => { clearTimeout(timer); signal?.removeEventListener('abort', done); resolve() }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
  })

// Retry-After is seconds or a date.
const secondsIn = (text) => {
  const seconds = /^\d+$/.test(text ?? '') ? Number(text) : (Date.parse(text) - Date.now()) / 1000
  return Math.max(0, seconds || 0)
}

export class API {
  #oauth
  #base
  language = 'it'

  constructor(config, oauth) {
    this.#oauth = oauth
    this.#base = new URL('/v1/', config.service)
  }

  // The answer itself, once it is a success.
  async fetch(path, { method = 'GET', body, accept = 'application/json', headers = {}, signal } = {}) {
    const url = new URL(path.replace(/^\/(v1\/)?/, ''), this.#base)
    const sent = { Accept: accept, 'Accept-Language': this.language, ...headers }
    if (body !== undefined) sent['Content-Type'] = 'application/json'
    // One intent, one key: however often the request is sent, its effect comes once.
    if (method === 'POST') sent['Idempotency-Key'] ??= crypto.randomUUID()
    // What has no key may have had its effect although no answer came.
    const safe = method === 'GET' || method === 'HEAD' || 'Idempotency-Key' in sent
    let refused
    for (let tries = 1; ; tries++) {
      sent.Authorization = `Bearer ${await this.#oauth.token(refused)}`
      let failure
      try {
        const answer = await fetch(url, {
          method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: 'no-store',
        })
        if (answer.ok) return answer
        if (answer.status === 401) {
          if (refused) {
            // With new tokens too: there is no login any more.
            this.#oauth.forget()
            throw new LoggedOut()
          }
          refused = sent.Authorization.slice('Bearer '.length)
          continue
        }
        failure = new Problem(answer.status, await answer.json().catch(() => ({})), secondsIn(answer.headers.get('Retry-After')))
      } catch (error) {
        if (error instanceof LoggedOut || signal?.aborted) throw error
        failure = error // of the line
      }
      const again = failure instanceof Problem ? failure.passes && (safe || failure.status === 429) : safe
      const asked = failure.retryAfter ?? 0
      if (!again || asked > longestWait || tries >= mostTries) throw failure
      // What the service asks for is a minimum. Pages that were turned away together do not come back together.
      await pause(1000 * asked + 200 * 2 ** tries * (0.25 + 0.75 * Math.random()), signal)
      if (signal?.aborted) throw failure
    }
  }

  async json(path, options) {
    return (await this.fetch(path, options)).json()
  }
}
