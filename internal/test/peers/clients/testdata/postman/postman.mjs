// Some requests of the collection, one after the other, as somebody sends them by hand: a new collection has no token and no id.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import newman from 'newman'

const all = JSON.parse(readFileSync(process.env.COLLECTION, 'utf8'))
const named = new Map(all.item.flatMap((folder) => folder.item).map((item) => [item.name, item]))
const story = [
  'Show whether the service can answer', 'Log a test person in', 'List the contributors for whom I may act', 'List the positions of a contributor',
  'Draft a declaration, or file it at once', 'Show the receipt of a filed declaration',
]
const collection = { ...all, item: story.map((name) => named.get(name) ?? assert.fail(`no request is called ${name}`)) }
const summary = await new Promise((resolve, reject) => {
  newman.run({ collection, envVar: [{ key: 'base_url', value: process.env.API }] }, (error, run) => (error ? reject(error) : resolve(run)))
})
assert.equal(summary.run.failures.length, 0, JSON.stringify(summary.run.failures))
const executions = summary.run.executions
assert.deepEqual(executions.map((e) => e.response.code), [200, 201, 200, 200, 201, 200], executions.map((e) => e.response.text()).join('\n'))
console.log(`filed ${executions.at(-1).response.json().protocol_number}`)
