// Files a declaration with the example in a browser, from its own origin, at the width of a phone and
// of a desk, in both languages, light and dark; axe looks at each page. Prints "filed INPS.…" each time.
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import puppeteer from 'puppeteer-core'

const { SERVICE: service, WEBAPP: webapp, TAX_CODE: taxCode, PIN: pin, CHROMIUM: chromium, SHOTS: shots, DOWNLOADS: downloads } = process.env
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const must = (good, what) => {
  if (!good) throw new Error(what)
}
must(new URL(service).origin !== new URL(webapp).origin, 'both stand at one origin')
await mkdir(shots, { recursive: true })
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] })
let number = 0

// look has axe find nothing, and the page fit its width.
const look = async (page, name) => {
  const found = await page.evaluate(`${axe}; axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))`)
  must(found.length === 0, `${name}: axe finds ${JSON.stringify(found, null, 1)}`)
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  must(!wide, `${name} is wider than its window`)
  await page.screenshot({ path: `${shots}/${String(++number).padStart(2, '0')}-${name.replaceAll(' ', '-')}.png`, fullPage: true })
}

const press = async (page, text) => {
  const handle = await page.waitForSelector(`::-p-xpath(//main//*[self::a or self::button][normalize-space()="${text}"])`)
  await handle.click()
}

for (const [language, width, scheme, words] of [
  ['it', 360, 'light', { login: 'Accedi', fresh: 'Nuova dichiarazione', submit: 'Presenta', fill: 'Compila con l’esempio', pdf: 'Scarica la ricevuta (PDF)', out: 'Esci', happened: 'Dichiarazione presentata' }],
  ['en', 1280, 'dark', { login: 'Log in', fresh: 'New declaration', submit: 'File', fill: 'Fill in the example', pdf: 'Download the receipt (PDF)', out: 'Log out', happened: 'Declaration submitted' }],
]) {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // What the page asks for on purpose and is refused is shown by the browser as an error, too.
    if (message.type() === 'error' && !/status of (400|401|422)/.test(message.text())) complaints.push(`${message.text()} ${message.location().url}`)
  })
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.evaluateOnNewDocument((l) => Object.defineProperty(navigator, 'languages', { value: [l] }), language)
  await page.setExtraHTTPHeaders({ 'Accept-Language': language })
  const session = await page.createCDPSession()
  // `breakLine` cuts what is open, and lets nothing through to the stream until `mendLine`.
  await page.evaluateOnNewDocument(() => {
    const real = fetch
    let [broken, open] = [null, []]
    window.fetch = async (url, options) => {
      if (!String(url).includes('/events/stream')) return real(url, options)
      await broken?.mended
      const answer = await real(url, options)
      const cut = new TransformStream()
      const ending = new AbortController()
      answer.body.pipeTo(cut.writable, { signal: ending.signal }).catch(() => {})
      open.push(ending)
      return new Response(cut.readable)
    }
    window.breakLine = () => {
      broken = {}
      broken.mended = new Promise((resolve) => (broken.mend = resolve))
      open.forEach((ending) => ending.abort())
      open = []
    }
    window.mendLine = () => { broken.mend(); broken = null }
  })
  // What the page asks of the tokens' endpoint.
  let renewals = 0
  page.on('request', (request) => {
    if (request.method() === 'POST' && new URL(request.url()).pathname === '/oauth2/token') renewals++
  })
  const kept = (of = page) => of.evaluate(() => JSON.parse(sessionStorage.getItem('tokens')))

  // Whoever says no comes back too.
  const enter = async (decision) => {
    await press(page, words.login)
    await page.waitForSelector('#tax_code, button[value=approve]')
    if (await page.$('#tax_code')) {
      await page.type('#tax_code', taxCode)
      await page.type('#pin', pin)
      await page.click('main button')
      await page.waitForSelector('button[value=approve]')
    }
    await page.click(`button[value=${decision}]`)
    await page.waitForFunction((to) => location.origin === to && location.pathname === '/', {}, new URL(webapp).origin)
  }
  await page.goto(webapp)
  await page.waitForSelector('h1')
  await look(page, `home ${language}`)
  // What is no answer to a login of this page, or by another service, is given no code.
  for (const back of [`state=another&iss=${encodeURIComponent(service)}`, 'state=mine&iss=https%3A%2F%2Fmix-up.example', 'state=mine']) {
    await page.evaluate(() => sessionStorage.setItem('login', JSON.stringify({ state: 'mine', verifier: 'v' })))
    await page.goto(new URL(`/callback?code=c&${back}`, webapp).href)
    await page.waitForSelector('.hero .notice')
    must(renewals === 0 && (await kept()) === null, `${back} is taken`)
    must(page.url() === new URL('/', webapp).href, `the code stands in ${page.url()}`)
  }
  await enter('refuse')
  await page.waitForSelector('.notice')
  await look(page, `refused ${language}`)
  await enter('approve')
  await page.waitForSelector('.cards .card')
  must(!page.url().includes('code='), `the code stands in ${page.url()}`)
  await page.waitForSelector('.connection.live')
  await look(page, `contributors ${language}`)

  await page.click('.card a')
  await press(page, words.fresh)
  await page.waitForSelector('a[href$="/new/RIOC"]')
  await look(page, `types ${language}`)
  await page.click('a[href$="/new/RIOC"]')
  await press(page, words.submit)
  await page.waitForSelector('.summary')
  await look(page, `mistakes ${language}`)
  await press(page, words.fill)
  await look(page, `form ${language}`)
  await press(page, words.submit)
  await page.waitForSelector('.verdict.good')
  const protocol = await page.$eval('.number strong', (e) => e.textContent)
  // Whoever filed hears of it as everybody does, on the stream.
  await page.waitForFunction((text) => document.querySelector('#log')?.textContent.includes(text), {}, words.happened)
  await look(page, `receipt ${language}`)
  const saved = `${protocol.replaceAll('/', '-')}.pdf`
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads, browserContextId: context.id, eventsEnabled: true })
  const downloaded = new Promise((resolve) => session.on('Browser.downloadProgress', ({ state }) => state === 'completed' && resolve()))
  await press(page, words.pdf)
  await downloaded
  must((await readFile(`${downloads}/${saved}`)).subarray(0, 5).toString() === '%PDF-', 'the receipt is no PDF')

  // A reload keeps the login, and the list has what was filed.
  await page.reload()
  await page.waitForSelector('.verdict.good')
  await page.click('.crumbs a')
  await page.waitForFunction((text) => document.querySelector('table')?.textContent.includes(text), {}, protocol)
  await look(page, `declarations ${language}`)

  // Tokens that end are renewed, once for all who ask, and what was shown stays.
  const first = await kept()
  renewals = 0
  await page.evaluate(() => sessionStorage.setItem('tokens', JSON.stringify({ ...JSON.parse(sessionStorage.getItem('tokens')), until: 0 })))
  await page.reload()
  await page.waitForFunction((text) => document.querySelector('table')?.textContent.includes(text), {}, protocol)
  await page.waitForSelector('.connection.live')
  const second = await kept()
  must(renewals === 1, `renewed ${renewals} times`)
  must(second.access !== first.access && second.refresh !== first.refresh && second.until > Date.now(), 'the tokens are the old ones')

  // A copy of the tab has no part in its login: each refresh token works once.
  const copying = new Promise((resolve) => page.once('popup', resolve))
  await page.evaluate(() => void window.open('/'))
  const copy = await copying
  await copy.waitForSelector('.hero')
  must((await kept(copy)) === null, 'a copy of the tab has its tokens')
  await copy.close()
  must((await kept()).refresh === second.refresh, 'the tab has other tokens than before the copy')

  // What happens while the line is broken is told when it is mended.
  const shown = await page.$$eval('#log li', (all) => all.length)
  await page.evaluate(() => window.breakLine())
  await page.waitForSelector('.connection.waiting')
  const contributor = /contributors\/([^/]+)/.exec(page.url())[1]
  const headers = { Authorization: `Bearer ${second.access}`, 'Content-Type': 'application/json' }
  const read = async (path) => (await fetch(`${service}/v1/${path}`, { headers })).json()
  const type = await read('declaration-types/RIOC')
  const positions = await read(`contributors/${contributor}/positions`)
  const filed = await fetch(`${service}/v1/contributors/${contributor}/declarations`, {
    method: 'POST', headers: { ...headers, 'Idempotency-Key': crypto.randomUUID() },
    body: JSON.stringify({ type: type.code, position_id: positions.items[0].position_id, content: type.content_example, submit: true }),
  })
  must(filed.status === 201, `the other program's declaration is answered with ${filed.status}`)
  await page.evaluate(() => window.mendLine())
  await page.waitForSelector('.connection.live')
  await page.waitForFunction((n, text) => [...document.querySelectorAll('#log li')].filter((e) => e.textContent.includes(text)).length === n + 1,
    {}, shown, words.happened)

  // A login that was ended elsewhere is noticed, said, and asked about once.
  await fetch(`${service}/oauth2/revocation`, { method: 'POST', body: new URLSearchParams({ client_id: 'sandbox-payroll', token: second.refresh }) })
  renewals = 0
  await page.click('header .brand')
  await page.waitForSelector('.hero .notice')
  must((await kept()) === null && renewals === 1, `after its end the login was renewed ${renewals} times`)
  await look(page, `ended ${language}`)
  await enter('approve')
  await page.waitForSelector('.cards .card')

  // The tokens end with the login.
  const token = (await kept()).access
  const out = await page.waitForSelector(`::-p-xpath(//header//button[normalize-space()="${words.out}"])`)
  await out.click()
  await page.waitForSelector('.hero')
  const { status } = await fetch(`${service}/v1/contributors`, { headers: { Authorization: `Bearer ${token}` } })
  must(status === 401, `after the end the token is answered with ${status}`)
  must(await page.evaluate(() => !sessionStorage.getItem('tokens') && !sessionStorage.getItem('login')), 'tokens are left in the tab')
  must(complaints.length === 0, `the browser complains: ${complaints.join('\n')}`)
  await context.close()
  console.log(`filed ${protocol}`)
}
await browser.close()
