// What the example in the browser does when the line, the service or the login fails, by a clock that
// the test moves. STATIC is the folder of its modules.
import { test, mock } from 'node:test'
import assert from 'node:assert/strict'
import { cp, writeFile } from 'node:fs/promises'

const { STATIC: from } = process.env
await cp(from, 'page', { recursive: true })
await writeFile('page/package.json', '{"type": "module"}')
const kept = new Map()
globalThis.sessionStorage = {
  getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key),
  clear: () => kept.clear(),
}
globalThis.location = { origin: 'https://page.example' }
const { follow } = await import(`${process.cwd()}/page/events.js`)
const { API, Problem } = await import(`${process.cwd()}/page/api.js`)
const { LoggedOut, OAuth } = await import(`${process.cwd()}/page/oauth.js`)

const config = { service: 'https://service.example', client_id: 'client-1' }
mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2026-03-16T09:00:00Z') })

// pass lets so many seconds pass, one by one, and everything happen that is due.
const turn = async () => { for (let i = 0; i < 20; i++) await new Promise(setImmediate) }
const pass = async (seconds) => {
  await turn()
  for (let i = 0; i < seconds; i++) {
    mock.timers.tick(1000)
    await turn()
  }
}

// A service of events. `serve` gets each new stream.
const feed = (serve) => {
  const asked = []
  const open = ({ signal, headers }) => {
    const stream = { asked: headers['Last-Event-ID'] }
    const body = new ReadableStream({
      start(to) {
        stream.say = (text) => to.enqueue(new TextEncoder().encode(text))
        stream.end = () => to.close()
        signal.addEventListener('abort', () => to.error(new Error('aborted')))
      },
    })
    asked.push(stream)
    serve(stream, asked.length)
    return { body }
  }
  return {
    asked,
    fetch: async (path, options) => open({ ...options, headers: options.headers ?? {} }),
    json: async (path) => {
      assert.equal(path, 'events?after=latest')
      return { items: [], next_cursor: 'c0' }
    },
  }
}
const following = (api) => {
  const ending = new AbortController()
  const [told, states] = [[], []]
  const ended = follow(api, { told: (event) => told.push(event.n), state: (now) => states.push(now), signal: ending.signal })
  return { told, states, end: async () => { ending.abort(); await turn(); await ended } }
}

test('a stream that breaks before its first event goes on where it began', async () => {
  const api = feed((stream, n) => { if (n === 1) stream.end(); else stream.say('id: c1\ndata: {"n": 1}\n\n') })
  const f = following(api)
  await pass(5)
  assert.deepEqual(api.asked.map((s) => s.asked), ['c0', 'c0'])
  assert.deepEqual(f.told, [1])
  await f.end()
})

test('a stream that says nothing for a minute is opened again, one with heartbeats is not', async () => {
  const silent = feed(() => {})
  let f = following(silent)
  await pass(58)
  assert.equal(silent.asked.length, 1)
  await pass(6)
  assert.equal(silent.asked.length, 2)
  await f.end()
  const alive = feed(() => {})
  f = following(alive)
  for (let i = 0; i < 10; i++) {
    await pass(25)
    alive.asked[0].say(': hb\n')
  }
  await turn()
  assert.equal(alive.asked.length, 1)
  await f.end()
})

test('a stream that ends at once is opened ever more seldom', async () => {
  const api = feed((stream) => { stream.say('event: end\ndata: {"reason": "too-slow"}\n\n'); stream.end() })
  const f = following(api)
  await pass(600)
  assert.ok(api.asked.length > 10 && api.asked.length < 40, `opened ${api.asked.length} times in ten minutes`)
  await f.end()
})

test('a stream that lived for a while is opened again at once', async () => {
  const api = feed(() => {})
  const f = following(api)
  for (let n = 1; n <= 12; n++) {
    await pass(20)
    api.asked.at(-1).say(': hb\n')
    await turn()
    api.asked.at(-1).end()
    await pass(2)
    assert.equal(api.asked.length, n + 1)
  }
  await f.end()
})

// A service that answers as it is told, in order; then for ever as it was told last.
const answers = (...list) => {
  const asked = []
  globalThis.fetch = async (url, options = {}) => {
    const path = new URL(url).pathname
    if (path.startsWith('/.well-known/')) return Response.json({ issuer: config.service, token_endpoint: `${config.service}/oauth2/token` })
    asked.push({ path, key: options.headers?.['Idempotency-Key'], at: Date.now() })
    const next = list.length > 1 ? list.shift() : list[0]
    return typeof next === 'function' ? next(path) : new Response(JSON.stringify(next.body ?? {}), { status: next.status, headers: next.headers })
  }
  return asked
}
const logIn = () => kept.set('tokens', JSON.stringify({ access: 'a1', refresh: 'r1', until: Date.now() + 900_000, key: 'k1' }))
const settled = (promise) => {
  const of = {}
  promise.then((value) => { of.value = value }, (error) => { of.error = error })
  return of
}

test('a login that is refused with new tokens too has ended', async () => {
  logIn()
  let renewals = 0
  const asked = answers((path) =>
    path === '/oauth2/token'
      ? Response.json({ access_token: `a${++renewals + 1}`, refresh_token: 'r2', expires_in: 900 })
      : new Response('{}', { status: 401 }))
  const oauth = new OAuth(config)
  await assert.rejects(new API(config, oauth).json('contributors'), LoggedOut)
  assert.equal(renewals, 1)
  assert.equal(asked.length, 3)
  assert.equal(oauth.loggedIn, false)
})

for (const [name, refusal] of Object.entries({
  'a bad gateway': { status: 502 }, 'a slow gateway': { status: 504 }, 'an unavailable service': { status: 503 },
  'a request that still runs': { status: 409, body: { code: 'request-in-progress' } },
})) {
  test(`${name} is asked again with the same key`, async () => {
    logIn()
    const asked = answers(refusal, refusal, { status: 201, body: { n: 1 } })
    const got = settled(new API(config, new OAuth(config)).json('contributors/1/declarations', { method: 'POST', body: {} }))
    await pass(10)
    assert.deepEqual(got, { value: { n: 1 } })
    assert.equal(asked.length, 3)
    assert.equal(new Set(asked.map((a) => a.key)).size, 1)
    assert.ok(asked[0].key)
  })
}

test('a decision is not asked again', async () => {
  logIn()
  const asked = answers({ status: 409, body: { code: 'duplicate' } })
  await assert.rejects(new API(config, new OAuth(config)).json('contributors/1/declarations', { method: 'POST', body: {} }), Problem)
  assert.equal(asked.length, 1)
})

test('what the service asks to wait is waited, or not asked again', async () => {
  logIn()
  const api = new API(config, new OAuth(config))
  let asked = answers({ status: 429, headers: { 'Retry-After': '45' }, body: { code: 'rate-limited' } }, { status: 200, body: { n: 1 } })
  const got = settled(api.json('contributors'))
  await pass(44)
  assert.equal(asked.length, 1)
  await pass(4)
  assert.deepEqual(got, { value: { n: 1 } })
  asked = answers({ status: 429, headers: { 'Retry-After': '3600' }, body: { code: 'rate-limited' } })
  await assert.rejects(api.json('contributors'), (error) => error instanceof Problem && error.retryAfter === 3600)
  assert.equal(asked.length, 1)
})

test('a renewal that another one is at work on is asked again', async () => {
  logIn()
  const asked = answers({ status: 409, body: { error: 'request-in-progress' } },
    { status: 200, body: { access_token: 'a2', refresh_token: 'r2', expires_in: 900 } })
  const got = settled(new OAuth(config).token('a1'))
  await pass(10)
  assert.deepEqual(got, { value: 'a2' })
  assert.equal(asked[0].key, asked[1].key)
})

test('who logs out while tokens are renewed is logged out', async () => {
  logIn()
  let answer
  answers((path) => (path === '/oauth2/token' ? new Promise((resolve) => (answer = resolve)) : new Response('', { status: 200 })))
  const oauth = new OAuth(config)
  const got = settled(oauth.token('a1'))
  await turn()
  oauth.forget()
  answer(Response.json({ access_token: 'a2', refresh_token: 'r2', expires_in: 900 }))
  await turn()
  assert.ok(got.error instanceof LoggedOut)
  assert.equal(oauth.loggedIn, false)
})
