// A form made from the schema of a declaration type.
import { element } from './dom.js'
import { language, t } from './texts.js'

const idOf = (pointer) => `field${pointer.replaceAll('/', '-')}`

// One field: its label, what it is for, and what is wrong with it.
const field = (pointer, { title, description, optional }, control) => {
  const id = idOf(pointer)
  control.id = id
  if (description) control.setAttribute('aria-describedby', `${id}-hint`)
  return element('div.field', { 'data-pointer': pointer },
    element('label', { for: id }, title, optional && element('span.optional', {}, ` (${t('new.optional')})`)),
    description && element('p.hint', { id: `${id}-hint` }, description),
    control)
}

const choice = (options, attributes = {}) =>
  element('select', attributes, element('option', { value: '' }, t('new.choose')), options.map(([value, text]) => element('option', { value }, text)))

// Money travels as text with a point and two decimals. People write and read it as their language does.
const isMoney = (property) => property.type === 'string' && Boolean(property.pattern?.includes('\\.[0-9]{2}'))
const readMoney = (text) => (/^[0-9]{1,3}(\.?[0-9]{3})*,[0-9]{2}$/.test(text) ? text.replaceAll('.', '').replace(',', '.') : text)
export const written = (property, value) => {
  if (typeof value === 'boolean') return value ? t('new.yes') : '–'
  if (isMoney(property)) return Number(value).toLocaleString(language.get(), { minimumFractionDigits: 2, useGrouping: 'always' })
  if (typeof value === 'number') return value.toLocaleString(language.get())
  return property['x-labels']?.[value] ?? String(value)
}

const controlOf = (property) => {
  if (property.enum) return choice(property.enum.map((value) => [value, property['x-labels']?.[value] ?? String(value)]))
  if (property.type === 'boolean') return choice([['true', t('new.yes')]])
  if (property.format === 'date') return element('input', { type: 'date' })
  const attributes = { type: 'text', autocomplete: 'off', spellcheck: 'false', maxlength: property.maxLength }
  if (property.type === 'number' || property.type === 'integer' || isMoney(property)) attributes.inputmode = 'decimal'
  if (property.format === 'tax-code') attributes.autocapitalize = 'characters'
  return element('input', attributes)
}

const valueOf = (property, text) => {
  if (property.type === 'boolean') return text === 'true'
  // A number that is none goes out as it is: the service says what is wrong with it.
  if ((property.type === 'number' || property.type === 'integer') && !Number.isNaN(Number(text.replace(',', '.')))) return Number(text.replace(',', '.'))
  if (isMoney(property)) return readMoney(text)
  return property.format === 'tax-code' ? text.replaceAll(' ', '').toUpperCase() : text
}

// The form for a type. `file` is called with the position and the content.
export const formOf = (type, positions, file) => {
  const { properties, required = [] } = type.content_schema
  const position = choice(positions.map((p) => [p.position_id, `${p.number} – ${p.office_code}`]))
  if (positions.length === 1) position.value = positions[0].position_id
  const controls = Object.entries(properties).map(([name, property]) => [name, property, controlOf(property)])
  const problems = element('div')
  const button = element('button.primary', { type: 'submit' }, t('new.submit'))
  const fill = () => {
    if (!position.value) position.value = positions[0]?.position_id ?? ''
    for (const [name, , control] of controls) control.value = String(type.content_example?.[name] ?? '')
  }

  // Each mistake stands at its field, and all of them at the top, where the reader is taken.
  const show = (problem) => {
    for (const old of form.querySelectorAll('.error')) old.remove()
    for (const bad of form.querySelectorAll('[aria-invalid]')) bad.removeAttribute('aria-invalid')
    const items = (problem.errors.length ? problem.errors : [{ detail: problem.message }]).map((error) => {
      const place = form.querySelector(`[data-pointer="${CSS.escape(error.pointer ?? '')}"]`)
      if (!place) return element('li', {}, error.detail)
      const control = place.querySelector('input, select')
      const id = `${control.id}-error`
      control.before(element('p.error', { id }, error.detail))
      control.setAttribute('aria-invalid', 'true')
      const described = (control.getAttribute('aria-describedby') ?? '').split(' ').filter((one) => one && one !== id)
      control.setAttribute('aria-describedby', [...described, id].join(' '))
      const title = place.querySelector('label').firstChild.textContent
      return element('li', {}, element('a', { href: `#${control.id}`, onclick: (e) => { e.preventDefault(); control.focus() } }, `${title}: ${error.detail}`))
    })
    const summary = element('div.summary', { role: 'alert', tabindex: '-1' }, element('h2', {}, t('errors.title')), element('ul', {}, items))
    problems.replaceChildren(summary)
    summary.focus()
  }

  const form = element('form', {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault()
      const content = {}
      for (const [name, property, control] of controls) if (control.value.trim() !== '') content[name] = valueOf(property, control.value.trim())
      // What is plainly missing is said at once; all other rules are the service's.
      const missing = required.filter((name) => !(name in content)).map((name) => `/content/${name}`)
      if (!position.value) missing.unshift('/position_id')
      if (missing.length) return show({ errors: missing.map((pointer) => ({ pointer, detail: t('new.required') })) })
      button.disabled = true
      button.textContent = t('new.filing')
      try {
        problems.replaceChildren()
        await file(position.value, content)
      } catch (problem) {
        if (!problem.errors) throw problem
        show(problem)
      } finally {
        button.disabled = false
        button.textContent = t('new.submit')
      }
    },
  },
  problems,
  element('p.actions', {}, element('button', { type: 'button', onclick: fill }, t('new.example'))),
  field('/position_id', { title: t('new.position') }, position),
  controls.map(([name, property, control]) =>
    field(`/content/${name}`, { title: property.title ?? name, description: property.description, optional: !required.includes(name) }, control)),
  element('p.actions', {}, button))
  return form
}
