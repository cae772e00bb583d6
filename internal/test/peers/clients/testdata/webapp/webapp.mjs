// Files a declaration with the example in a browser, from its own origin, at the width of a phone and
// of a desk, in both languages, light and dark; axe looks at each page. Prints "filed INPS.…" each time.
import { mkdir, readFile, readdir } from 'node:fs/promises'
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
    if (message.type() === 'error' && !/status of (401|422)/.test(message.text())) complaints.push(`${message.text()} ${message.location().url}`)
  })
  await page.setViewport({ width, height: 800 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.evaluateOnNewDocument((l) => Object.defineProperty(navigator, 'languages', { value: [l] }), language)
  await page.setExtraHTTPHeaders({ 'Accept-Language': language })
  const session = await page.createCDPSession()
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads, browserContextId: context.id })

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
  await press(page, words.pdf)
  const saved = `${protocol.replaceAll('/', '-')}.pdf`
  for (let i = 0; i < 100 && !(await readdir(downloads)).includes(saved); i++) await new Promise((resolve) => setTimeout(resolve, 100))
  must((await readFile(`${downloads}/${saved}`)).subarray(0, 5).toString() === '%PDF-', 'the receipt is no PDF')

  // A reload keeps the login, and the list has what was filed.
  await page.reload()
  await page.waitForSelector('.verdict.good')
  await page.click('.crumbs a')
  await page.waitForFunction((text) => document.querySelector('table')?.textContent.includes(text), {}, protocol)
  await look(page, `declarations ${language}`)

  // The tokens end with the login.
  const token = await page.evaluate(() => JSON.parse(sessionStorage.getItem('tokens')).access)
  const out = await page.waitForSelector(`::-p-xpath(//header//button[normalize-space()="${words.out}"])`)
  await out.click()
  await page.waitForSelector('.hero')
  let status
  for (let i = 0; i < 50 && status !== 401; i++) {
    status = (await fetch(`${service}/v1/contributors`, { headers: { Authorization: `Bearer ${token}` } })).status
    if (status !== 401) await new Promise((resolve) => setTimeout(resolve, 100))
  }
  must(status === 401, `after the end the token is answered with ${status}`)
  must(await page.evaluate(() => sessionStorage.length === 0), 'tokens are left in the tab')
  must(complaints.length === 0, `the browser complains: ${complaints.join('\n')}`)
  await context.close()
  console.log(`filed ${protocol}`)
}
await browser.close()
