// The page: what is shown for which address, and who is logged in.
import { API, Problem } from './api.js'
import { claim, LoggedOut, OAuth } from './oauth.js'
import { element } from './dom.js'
import { follow } from './events.js'
import { formOf, written } from './form.js'
import { hasText, language, t, time } from './texts.js'

const config = await (await fetch('/config.json')).json()
const oauth = new OAuth(config)
const api = new API(config, oauth)

const main = element('main', { id: 'main', tabindex: '-1' })
const aside = element('aside', { 'aria-labelledby': 'live' })
let notice = ''
let shown = 0 // counts what was asked for, so that a late answer does not replace a later page

const heading = (text) => element('h1', { tabindex: '-1' }, text)
const chip = (state) => element(`span.chip.${state}`, {}, t(`state.${state}`))
const show = (title, ...content) => {
  document.title = title === t('brand') ? title : `${title} – ${t('brand')}`
  main.replaceChildren(...content.flat().filter(Boolean))
}
const moment = (text) => element('time', { datetime: text }, time(text))
const encode = encodeURIComponent

// One page of a list and a button for the next.
const paged = async (path, rowOf, into) => {
  const more = element('button', { type: 'button', onclick: () => load(more.dataset.next) }, t('more'))
  const holder = element('p.actions', {}, more)
  const load = async (cursor) => {
    const page = await api.json(`${path}${path.includes('?') ? '&' : '?'}limit=20${cursor ? `&cursor=${encode(cursor)}` : ''}`)
    into.append(...page.items.map(rowOf))
    more.dataset.next = page.next_cursor ?? ''
    holder.hidden = !page.next_cursor
    return page.items.length
  }
  return [await load(), holder]
}

const pages = {
  async home() {
    return [t('brand'),
      element('section.hero', {},
        heading(t('home.title')),
        notice && element('p.notice', { role: 'status' }, notice), // it stays until the login leaves the page
        element('p.lead', {}, t('home.lead')),
        element('p.actions', {}, element('button.primary', { type: 'button', onclick: guard(() => oauth.begin(language.get())) }, t('login'))),
        element('p.muted', {}, t('home.pin')))]
  },

  async contributors() {
    const list = element('ul.cards')
    const [count, more] = await paged('contributors', (c) =>
      element('li.card', {},
        element('h2', {}, element('a', { href: `#/contributors/${c.contributor_id}` }, c.legal_name)),
        element('p.muted', {}, `${t(`kind.${c.kind}`)} · ${t('tax_code')} ${c.tax_code}`)), list)
    return [t('contributors.title'), heading(t('contributors.title')),
      element('p.lead', {}, count ? t('contributors.lead') : t('contributors.none')), list, more]
  },

  async declarations(id) {
    // The roles stand here since on a phone the table is laid out as a list.
    const body = element('tbody', { role: 'rowgroup' })
    const [contributor, [count, more]] = await Promise.all([
      api.json(`contributors/${id}`),
      paged(`contributors/${id}/declarations`, (d) =>
        element('tr', { role: 'row' },
          element('td', { role: 'cell', 'data-label': t('table.number') },
            element('a', { href: `#/declarations/${d.declaration_id}` }, d.protocol_number ?? t(`state.${d.state}`))),
          element('td', { role: 'cell', 'data-label': t('table.type') }, d.type),
          element('td', { role: 'cell', 'data-label': t('table.state') }, chip(d.state)),
          element('td', { role: 'cell', 'data-label': t('table.when') }, d.submitted_at ? moment(d.submitted_at) : '–')), body),
    ])
    return [contributor.legal_name,
      element('p.crumbs', {}, element('a', { href: '#/' }, `← ${t('contributors.title')}`)),
      heading(contributor.legal_name),
      element('p.actions', {}, element('a.button.primary', { href: `#/contributors/${id}/new` }, t('new'))),
      count
        ? element('table', { role: 'table' }, element('caption', {}, t('table.caption')),
          element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' },
            ['number', 'type', 'state', 'when'].map((k) => element('th', { role: 'columnheader', scope: 'col' }, t(`table.${k}`))))), body)
        : element('p', {}, t('declarations.none')),
      more]
  },

  async types(id) {
    const { items } = await api.json('declaration-types?limit=100')
    return [t('new'),
      element('p.crumbs', {}, element('a', { href: `#/contributors/${id}` }, `← ${t('declarations.title')}`)),
      heading(t('new')), element('p.lead', {}, items.length ? t('new.type') : t('new.none')),
      element('ul.cards', {}, items.map((type) =>
        element('li.card', {},
          element('h2', {}, element('a', { href: `#/contributors/${id}/new/${encode(type.code)}` }, type.title)),
          element('p.muted', {}, type.code))))]
  },

  async form(id, code) {
    const [type, positions] = await Promise.all([
      api.json(`declaration-types/${encode(code)}`), api.json(`contributors/${id}/positions?limit=100`),
    ])
    let intent = {}
    return [type.title,
      element('p.crumbs', {}, element('a', { href: `#/contributors/${id}/new` }, `← ${t('new')}`)),
      heading(type.title), element('p.muted', {}, type.legal_reference),
      formOf(type, positions.items, guard(async (position_id, content) => {
        const body = { type: type.code, step: type.steps[0].step, content, submit: true }
        if (position_id) body.position_id = position_id
        // Whoever presses the button again after a broken line means the same declaration.
        const text = JSON.stringify(body)
        if (intent.text !== text) intent = { text, key: crypto.randomUUID() }
        const filed = await api.json(`contributors/${id}/declarations`, { method: 'POST', body, headers: { 'Idempotency-Key': intent.key } })
        notice = t('declaration.filed')
        location.hash = `#/declarations/${filed.declaration_id}`
      }, (error) => error instanceof Problem))]
  },

  async declaration(id) {
    const declaration = await api.json(`declarations/${id}`)
    const type = await api.json(`declaration-types/${encode(declaration.type)}/versions/${declaration.type_version}`)
    const said = notice
    notice = ''
    const { properties } = type.content_schema
    return [declaration.protocol_number ?? t('declaration.title'),
      element('p.crumbs', {}, element('a', { href: `#/contributors/${declaration.contributor_id}` }, `← ${t('declarations.title')}`)),
      heading(type.title),
      said && element('p.notice', { role: 'status' }, said),
      element('p', {}, chip(declaration.state)),
      declaration.protocol_number ? receipt(declaration) : element('p', {}, t('receipt.none')),
      element('h2', {}, t('declaration.content')),
      element('dl', {}, Object.entries(properties).filter(([name]) => name in declaration.content).map(([name, property]) =>
        [element('dt', {}, property.title ?? name), element('dd', {}, written(property, declaration.content[name]))]))]
  },
}

// The receipt: verified by the service before it is called genuine, and saved as a PDF on request.
const receipt = (declaration) => {
  const path = `declarations/${declaration.declaration_id}/receipt`
  const verdict = element('p.verdict', { role: 'status' }, t('receipt.checking'))
  const verify = async () => {
    const jws = await (await api.fetch(path, { accept: 'application/jose' })).text()
    const found = await api.json('receipt-verifications', { method: 'POST', body: { jws } })
    const good = found.valid && found.protocol_number === declaration.protocol_number
    verdict.classList.add(good ? 'good' : 'bad')
    verdict.textContent = t(good ? 'receipt.valid' : 'receipt.invalid')
  }
  const save = async () => {
    const page = await (await api.fetch(`${path}/pdf`, { accept: 'application/pdf' })).blob()
    const url = URL.createObjectURL(page)
    element('a', { href: url, download: `${declaration.protocol_number.replaceAll('/', '-')}.pdf` }).click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  }
  guard(verify)()
  return element('section.receipt', { 'aria-labelledby': 'receipt' },
    element('h2', { id: 'receipt' }, t('receipt.title')),
    element('p.number', {}, element('span.muted', {}, t('receipt.number')), element('strong', {}, declaration.protocol_number)),
    element('dl', {},
      element('dt', {}, t('receipt.when')), element('dd', {}, moment(declaration.submitted_at)),
      element('dt', {}, t('receipt.by')), element('dd', {}, `${declaration.filed_by.given_name} ${declaration.filed_by.family_name}`)),
    verdict,
    element('p.actions', {}, element('button', { type: 'button', onclick: guard(save) }, t('receipt.pdf'))))
}

// Leads to the first page. A new address calls route by itself.
const home = () => {
  if (['', '#', '#/'].includes(location.hash)) return route()
  location.hash = '#/'
}

// Runs what may fail. `passed` says which errors the caller deals with.
const guard = (work, passed = () => false) => async (...args) => {
  try {
    return await work(...args)
  } catch (error) {
    if (passed(error)) throw error
    failed(error)
  }
}

const failed = (error) => {
  if (error instanceof LoggedOut) {
    notice = t('home.ended')
    return home()
  }
  show(t('errors.title'),
    heading(t('errors.title')),
    element('p.notice.bad', { role: 'alert' }, error instanceof Problem ? error.message : t('error.unknown') + error.message),
    element('p.actions', {}, element('button', { type: 'button', onclick: () => route() }, t('retry')), element('a.button', { href: '#/' }, t('contributors.title'))))
}

const uuid = '([0-9a-f-]{36})'
const routes = [
  [new RegExp(`^#/contributors/${uuid}$`), 'declarations'], [new RegExp(`^#/contributors/${uuid}/new$`), 'types'],
  [new RegExp(`^#/contributors/${uuid}/new/([\\w%.-]+)$`), 'form'], [new RegExp(`^#/declarations/${uuid}$`), 'declaration'],
]

async function route({ quiet = false } = {}) {
  const asked = ++shown
  const hash = location.hash
  frame()
  try {
    let [page, args] = ['home', []]
    if (oauth.loggedIn) {
      page = 'contributors'
      for (const [pattern, found] of routes) {
        const match = pattern.exec(hash)
        if (match) [page, args] = [found, match.slice(1).map(decodeURIComponent)]
      }
    }
    if (!quiet) main.setAttribute('aria-busy', 'true')
    const [title, ...content] = await pages[page](...args)
    if (asked !== shown) return
    show(title, ...content)
    if (!quiet) (main.querySelector('h1') ?? main).focus({ preventScroll: false })
  } catch (error) {
    if (asked === shown) failed(error)
  } finally {
    if (asked === shown) main.removeAttribute('aria-busy')
  }
}

// The frame around the page.
const header = element('header')
const layout = element('div.layout')
function frame() {
  document.documentElement.lang = api.language = language.get()
  header.replaceChildren(
    element('a.skip', { href: '#main', onclick: (e) => { e.preventDefault(); main.focus() } }, t('skip')),
    element('div.bar', {},
      element('a.brand', { href: '#/' }, element('img', { src: '/icon.svg', alt: '', width: '28', height: '28' }), t('brand')),
      element('nav', { 'aria-label': t('nav') },
        element('button.plain', {
          type: 'button', lang: language.get() === 'it' ? 'en' : 'it', onclick: () => { language.toggle(); drawLive(); route() },
        }, t('other')),
        oauth.loggedIn && element('button.plain', { type: 'button', onclick: guard(logOut) }, t('logout')))))
  layout.classList.toggle('alone', !oauth.loggedIn)
  aside.hidden = !oauth.loggedIn
  if (oauth.loggedIn && !following) watch()
  if (!oauth.loggedIn && following) stopWatching()
}

const logOut = async () => {
  stopWatching()
  await oauth.end().finally(home)
}

// What happens while the page is open.
const happened = []
let following = null
let connection = 'waiting'
const linkOf = ({ subject, contributor_id }) =>
  subject.kind === 'declaration' ? `#/declarations/${subject.id}` : contributor_id && `#/contributors/${contributor_id}`

function drawLive() {
  const log = element('ol', { id: 'log' }, happened.map((event) => {
    const text = t(`event.${event.type}`)
    return element('li', {}, linkOf(event) ? element('a', { href: linkOf(event) }, text) : text, ' ', moment(event.at))
  }))
  const parts = [
    element('h2', { id: 'live' }, t('live.title')),
    element(`p.connection.${connection}`, { role: 'status' }, t(`live.${connection}`)),
    happened.length ? element('div', { role: 'log', 'aria-label': t('live.title') }, log) : connection !== 'missing' && element('p.muted', {}, t('live.none')),
  ]
  aside.replaceChildren(...parts.filter(Boolean))
}

function watch() {
  following = new AbortController()
  follow(api, {
    signal: following.signal,
    state: (now) => {
      connection = now
      drawLive()
      // Whoever is typing is told beside the form, and loses nothing yet.
      if (now === 'ended' && !main.querySelector('form')) failed(new LoggedOut())
    },
    told: (event) => {
      if (!hasText(`event.${event.type}`)) return // of a later version
      happened.unshift(event)
      happened.length = Math.min(happened.length, 20)
      drawLive()
      // The page that shows what changed is drawn anew, unless somebody is typing there.
      const concerns = [event.contributor_id, event.subject.id].some((id) => id && location.hash.endsWith(id))
      if (concerns && !main.querySelector('form')) route({ quiet: true })
    },
  }).catch(failed)
  drawLive()
}

function stopWatching() {
  following?.abort()
  following = null
  happened.length = 0
}

layout.append(main, aside)
document.body.replaceChildren(header, layout)
await claim()
if (location.pathname === '/callback') {
  try {
    if (!(await oauth.finish())) notice = t('home.refused')
  } catch (error) {
    notice = t('error.unknown') + error.message
  }
}
addEventListener('hashchange', () => route())
route()
