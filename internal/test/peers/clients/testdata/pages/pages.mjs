// Lets a program in with a real browser, without scripts, at the width of a phone and of a desk, in
// both languages, light and dark; axe looks at each page. Prints "let in" at the end.
import { readFile, mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { createHash } from 'node:crypto'
import puppeteer from 'puppeteer-core'

const { SERVICE: service, TAX_CODE: taxCode, PIN: pin, NEW_TAX_CODE: newTaxCode, NEW_PIN: newPIN, CHROMIUM: chromium, SHOTS: shots } = process.env
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const must = (good, what) => {
  if (!good) throw new Error(what)
}

// The application's own site sends the browser on to another origin, as many do.
const end = createServer((_, answer) => answer.end('arrived'))
await new Promise((resolve) => end.listen(0, '127.0.0.1', resolve))
const arrived = []
// While somebody looks at the page that leads there, the application sends the browser nowhere.
let still = false
const callback = createServer((request, answer) => {
  if (still) {
    answer.writeHead(204).end()
    return
  }
  arrived.push({ url: new URL(request.url, 'http://127.0.0.1'), referer: request.headers.referer })
  answer.writeHead(302, { Location: `http://127.0.0.1:${end.address().port}/end` }).end()
})
await new Promise((resolve) => callback.listen(0, '127.0.0.1', resolve))
const back = `http://127.0.0.1:${callback.address().port}/callback`

const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] })
if (shots) await mkdir(shots, { recursive: true })
let number = 0

// look has axe find nothing, and the page fit its width.
const look = async (page, name) => {
  await page.setJavaScriptEnabled(true)
  const found = await page.evaluate(`${axe}; axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))`)
  must(found.length === 0, `${name}: axe finds ${JSON.stringify(found, null, 1)}`)
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  must(!wide, `${name} is wider than its window`)
  if (shots) await page.screenshot({ path: `${shots}/${String(++number).padStart(2, '0')}-${name.replaceAll(' ', '-')}.png`, fullPage: true })
  await page.setJavaScriptEnabled(false)
}

// call calls the API with JSON, or an endpoint of OAuth with a form.
const call = async (path, body, headers = {}) => {
  const form = body instanceof URLSearchParams
  const answer = await fetch(service + path, {
    method: body ? 'POST' : 'GET', headers: { ...headers, ...(body && !form ? { 'Content-Type': 'application/json' } : {}) },
    body: form ? body : body && JSON.stringify(body),
  })
  must(answer.ok, `${path} answers ${answer.status} ${await answer.clone().text()}`)
  return answer.json()
}

const press = (page, selector) => Promise.all([page.waitForNavigation(), page.click(selector)])

for (const [language, width, scheme] of [['it', 320, 'light'], ['en', 1280, 'dark']]) {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.setExtraHTTPHeaders({ 'Accept-Language': language })
  await page.setJavaScriptEnabled(false)
  const verifier = 'a-verifier-of-at-least-forty-three-characters-0123'
  const query = new URLSearchParams({
    response_type: 'code', client_id: 'sandbox-payroll', redirect_uri: back, scope: 'declarations offline_access', state: 's',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  })
  await page.goto(`${service}/oauth2/authorize?${query}`)
  await look(page, `login ${language}`)
  await press(page, 'main button')
  await look(page, `login refused ${language}`)
  await page.type('#tax_code', taxCode)
  await page.type('#pin', pin)
  await press(page, 'main button')
  must(new URL(page.url()).pathname === '/oauth2/consent', `the login leads to ${page.url()}`)
  await look(page, `consent ${language}`)
  await page.click('#which-some')
  await press(page, 'button[value=approve]')
  await look(page, `consent refused ${language}`)
  await page.click('#which-all')
  const before = arrived.length
  await page.click('button[value=approve]')
  await page.waitForFrame((frame) => frame.url().endsWith('/end'))
  must(page.url().endsWith('/end'), `the consent leads to ${page.url()}`)
  must(arrived.length === before + 1, `the application was told ${arrived.length - before} times`)
  const told = arrived.at(-1)
  must(told.url.searchParams.get('code') && told.url.searchParams.get('iss') === service, `the application was told ${told.url}`)
  must(told.referer === undefined, `the application was told of ${told.referer}`)
  // What the application asks for narrows what is offered; whoever refuses is told where that leads.
  const { access_token: token } = await call('/v1/sessions', { tax_code: taxCode, pin })
  const mine = await call('/v1/contributors', undefined, { Authorization: `Bearer ${token}` })
  for (const [variant, detail] of Object.entries({
    'limited services': { services: ['declarations'] }, 'named contributors': { contributors: [mine.items[0].contributor_id] },
    'none of mine': { contributors: ['018f3b20-0000-7000-8000-000000000000'] },
  })) {
    query.set('authorization_details', JSON.stringify([{ type: 'diresco_access', ...detail }]))
    await page.goto(`${service}/oauth2/authorize?${query}`)
    await look(page, `consent ${variant} ${language}`)
  }
  still = true
  await page.click('button[value=refuse]')
  await page.waitForSelector('main a.button')
  await look(page, `leave ${language}`)
  still = false
  await page.goto(`${service}/oauth2/consent?flow=018f3b20-0000-7000-8000-000000000000`)
  await look(page, `over ${language}`)
  // A device is let in by its code, and another one is not.
  for (const decision of ['approve', 'refuse']) {
    const device = await call('/oauth2/device-authorization', new URLSearchParams({ client_id: 'sandbox-payroll', scope: 'declarations' }))
    await page.goto(device.verification_uri)
    if (decision === 'approve') {
      await page.type('#user_code', 'BBBB-BBBB')
      await press(page, 'main button')
      await look(page, `device code unknown ${language}`)
      await page.$eval('#user_code', (e) => { e.value = '' })
    }
    await page.type('#user_code', device.user_code)
    await press(page, 'main button')
    await look(page, `consent of a device ${decision} ${language}`)
    await press(page, `button[value=${decision}]`)
    await look(page, `device ${decision} ${language}`)
  }
  await call('/v1/applications', {
    display_name: `Buste paga ${language}`, kind: 'public', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'],
    scopes: ['declarations'], contact_email: 'sviluppo@paghe.example',
  }, { Authorization: `Bearer ${token}`, 'Idempotency-Key': `pages-${language}-0123456789` })
  for (const path of ['/account/consents', '/account/applications', '/oauth2/device']) {
    await page.goto(service + path)
    await look(page, `${path.split('/').at(-1)} ${language}`)
  }
  for (const [path, done] of [['consents', 'withdrawn'], ['applications', 'removed']]) {
    await page.goto(`${service}/account/${path}`)
    await press(page, 'main .card a.button')
    await look(page, `${done} is asked ${language}`)
    await press(page, 'main form button')
    await look(page, `${done} ${language}`)
  }
  // A form whose browser has forgotten everything is refused in words.
  await page.goto(`${service}/account/consents?id=018f3b20-0000-7000-8000-000000000000`)
  await page.goto(`${service}/oauth2/device`)
  await page.type('#user_code', 'BBBB-BBBB')
  const cookies = await page.cookies()
  await page.deleteCookie(...cookies)
  await press(page, 'main button')
  await look(page, `form expired ${language}`)
  await page.setCookie(...cookies)
  await page.goto(`${service}/oauth2/authorize?client_id=unknown`)
  await look(page, `refused ${language}`)
  await page.goto(`${service}/account/consents`)
  await press(page, 'nav form button')
  await look(page, `logged out ${language}`)
  // People log in at the trial providers, too: by SAML, where a form leads back, and by OpenID Connect.
  for (const provider of ['sandbox-spid', 'sandbox-cie']) {
    const saml = provider === 'sandbox-spid'
    await page.goto(`${service}/account/consents`)
    await press(page, `main a[href*="provider=${provider}"]`)
    await look(page, `${provider} asks ${language}`)
    await page.click('#outcome-refused')
    await press(page, 'main button')
    if (saml) {
      await look(page, `${provider} fails ${language}`)
      await press(page, 'main button')
    }
    await look(page, `${provider} refused ${language}`)
    await press(page, 'main a.button')
    await press(page, `main a[href*="provider=${provider}"]`)
    await press(page, 'main button')
    if (saml) {
      await look(page, `${provider} tells ${language}`)
      await press(page, 'main button')
    }
    must(new URL(page.url()).pathname === '/account/consents', `${provider} leads to ${page.url()}`)
    await press(page, 'nav form button')
  }
  await page.goto(`${service}/sandbox/identity-provider?request=over`)
  await look(page, `provider over ${language}`)
  await context.close()
}

// Whoever logs in for the first time is shown the new PIN once, and types it back.
const page = await browser.newPage()
await page.setViewport({ width: 320, height: 800 })
await page.setJavaScriptEnabled(false)
await page.goto(`${service}/account/consents`)
await page.type('#tax_code', newTaxCode)
await page.type('#pin', newPIN)
await press(page, 'main button')
await look(page, 'PIN to be changed')
await press(page, 'main button')
await look(page, 'PIN shown')
const made = await page.$eval('code.secret', (e) => e.textContent)
await page.type('#pin', 'wrong')
await press(page, 'main button')
await look(page, 'PIN typed wrong')
await page.type('#pin', made)
await press(page, 'main button')
must(new URL(page.url()).pathname === '/account/consents', `the change of the PIN leads to ${page.url()}`)
await look(page, 'no consents')
await browser.close()
callback.close()
end.close()
console.log('let in')
