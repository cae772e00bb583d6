// Somebody who registers applications, and lets them in with a browser without scripts.
import assert from 'node:assert/strict'

export const origin = new URL(process.env.API).origin
export const redirect = 'http://127.0.0.1/callback'
export const api = `${origin}/v1`

const person = (await (await fetch(`${api}/sandbox/people?key=rep-rome`)).json()).items[0]
const { access_token: own } = await (await fetch(`${api}/sandbox/people/rep-rome/sessions`, { method: 'POST' })).json()

export async function register(more) {
  const answer = await fetch(`${api}/applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${own}`, 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify({
      display_name: 'Paghe', kind: 'public', token_endpoint_auth_method: 'none', redirect_uris: [redirect], contact_email: 'info@paghe.example',
      scopes: ['declarations', 'declarations.read', 'offline_access'], ...more,
    }),
  })
  assert.equal(answer.status, 201, await answer.clone().text())
  return answer.json()
}

// browse follows redirects, keeps cookies and sends the forms of the pages, as somebody would.
const cookies = new Map()
export async function visit(address, form) {
  for (;;) {
    const answer = await fetch(address, {
      method: form ? 'POST' : 'GET', redirect: 'manual', body: form && new URLSearchParams(form),
      headers: { cookie: [...cookies].map((c) => c.join('=')).join('; '), ...(form && { origin }) },
    })
    for (const set of answer.headers.getSetCookie()) cookies.set(...set.split(';')[0].split(/=(.*)/s).slice(0, 2))
    if (answer.status < 300 || answer.status > 399) return { address, status: answer.status, body: await answer.text() }
    address = new URL(answer.headers.get('location'), address).href
    form = undefined
    if (address.startsWith(redirect)) return { address }
  }
}

export function fields(page, action, change) {
  const form = [...page.body.matchAll(/<form method="post" action="([^"]*)".*?<\/form>/gs)].find((f) => f[1] === action)
  assert.ok(form, `no form for ${action} at ${page.address}: ${page.body}`)
  const sent = []
  for (const [input] of form[0].matchAll(/<input [^>]*>/g)) {
    const attribute = (name) => new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1]
    if (['radio', 'checkbox'].includes(attribute('type')) && !/ checked/.test(input)) continue
    sent.push([attribute('name'), change[attribute('name')] ?? attribute('value') ?? ''])
  }
  if (change.decision) sent.push(['decision', change.decision])
  return sent
}

export async function decide(address, decision) {
  let page = await visit(address)
  if (page.body?.includes('action="/oauth2/login"')) {
    page = await visit(`${origin}/oauth2/login`, fields(page, '/oauth2/login', { tax_code: person.tax_code, pin: person.pin }))
  }
  return page.body?.includes('action="/oauth2/device"') ? page : consent(page, decision)
}

// The page after the decision leads back to the application.
export async function consent(page, decision) {
  const decided = await visit(`${origin}/oauth2/consent`, fields(page, '/oauth2/consent', { decision, pin: person.pin }))
  const onward = /href="([^"]*)"[^>]*>/.exec(decided.body?.match(/<a [^>]*href="http:\/\/127\.0\.0\.1\/callback[^>]*>/)?.[0] ?? '')?.[1]
  return onward ? { address: onward.replaceAll('&amp;', '&').replaceAll('&#43;', '+') } : decided
}
