// Splits the contract into documents that each have some of its paths and what those refer to. Spectral's rules look at
// everything that a document resolves to, so its time grows with the square of the length.
//
//   node split.mjs CONTRACT FOLDER PARTS
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import yaml from '@stoplight/yaml'

const [contract, folder, parts] = process.argv.slice(2)
const whole = yaml.parse(readFileSync(contract, 'utf8'))
// The national guidelines want a path of this name in every contract.
const health = '/status'
const paths = Object.entries(whole.paths)

// refs calls found with each component that a value refers to.
function refs(value, found) {
  if (value === null || typeof value !== 'object') return
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$ref' && typeof inner === 'string') {
      const [, , kind, component] = inner.split('/')
      found(kind, component)
    } else refs(inner, found)
  }
}

for (let part = 0; part < Number(parts); part++) {
  const some = paths.filter(([path], i) => path === health || i % Number(parts) === part)
  // Security schemes are referred to by their names.
  const components = { securitySchemes: whole.components.securitySchemes }
  const take = (kind, component) => {
    if (components[kind]?.[component] !== undefined) return
    components[kind] = { ...components[kind], [component]: whole.components[kind][component] }
    refs(whole.components[kind][component], take)
  }
  refs(some, take)
  writeFileSync(join(folder, `part-${part}.json`), JSON.stringify({ ...whole, paths: Object.fromEntries(some), components }, null, 2))
}
