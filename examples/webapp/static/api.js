// Requests to the service, with the token, and again where that helps.
import { LoggedOut } from './oauth.js'

// A refusal of the service (RFC 9457). `code` says what kind, `errors` which fields.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `HTTP ${status}`)
    Object.assign(this, { status, code: body.code, errors: body.errors ?? [] })
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

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
    let refused
    for (let tries = 1; ; tries++) {
      sent.Authorization = `Bearer ${await this.#oauth.token(refused)}`
      let answer
      try {
        answer = await fetch(url, {
          method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: 'no-store',
        })
      } catch (error) {
        if (signal?.aborted || tries === 4) throw error
        await pause(300 * 2 ** tries)
        continue
      }
      if (answer.ok) return answer
      if (answer.status === 401 && !refused) {
        refused = sent.Authorization.slice('Bearer '.length)
        continue
      }
      if (answer.status === 401) throw new LoggedOut()
      if ((answer.status === 429 || answer.status === 503) && tries < 4) {
        await pause(1000 * Math.min(Number(answer.headers.get('Retry-After')) || 1, 30))
        continue
      }
      throw new Problem(answer.status, await answer.json().catch(() => ({})))
    }
  }

  async json(path, options) {
    return (await this.fetch(path, options)).json()
  }
}
