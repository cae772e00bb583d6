// Elements without HTML in strings, so that no text can become one.

// element('a.button', { href: '/' }, 'text', child, …)
export const element = (tag, attributes = {}, ...children) => {
  const [name, ...classes] = tag.split('.')
  const made = document.createElement(name)
  if (classes.length) made.className = classes.join(' ')
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else if (value === true) made.setAttribute(key, '')
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value)
  }
  made.append(...children.flat(9).filter((c) => c !== undefined && c !== null && c !== false))
  return made
}
