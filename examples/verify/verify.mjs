// Says whether a receipt is in the log, from the receipt, its proof, a checkpoint and the log's public
// key alone: node verify.mjs RECEIPT.jws PROOF.json CHECKPOINT.txt PUBLIC-KEY
//
// It asks no service, and needs nothing but node.
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto'
import { readFileSync } from 'node:fs'

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const refuse = (because) => { throw new Error(because) }

// bytes reads base64 as it is written, with nothing left over.
function bytes (text) {
  const found = Buffer.from(text, 'base64')
  if (found.toString('base64') !== text) refuse('it is not base64')
  return found
}

// readKey reads name+id+base64: c2sp.org/signed-note. The id is made of name and key.
function readKey (text) {
  const [name, id, ...rest] = text.trim().split('+')
  const encoded = bytes(rest.join('+'))
  if (encoded.length !== 33 || encoded[0] !== 1) refuse('the key is no Ed25519 key')
  const made = sha256(name, '\n', encoded).subarray(0, 4)
  if (made.toString('hex') !== id) refuse('the key is not the one that its id says')
  const x = encoded.subarray(1).toString('base64url')
  return { name, id: made, public: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }) }
}

// readCheckpoint returns size and root of a checkpoint that the key signed: c2sp.org/tlog-checkpoint.
function readCheckpoint (note, key) {
  const end = note.lastIndexOf('\n\n')
  if (end < 0) refuse('the checkpoint has no signature')
  const text = note.slice(0, end + 1)
  const signed = note.slice(end + 2).split('\n').some((line) => {
    const [dash, name, encoded] = line.split(' ')
    if (dash !== '\u2014' || name !== key.name || !encoded) return false
    const signature = bytes(encoded)
    return signature.subarray(0, 4).equals(key.id) && verifySignature(null, Buffer.from(text), key.public, signature.subarray(4))
  })
  if (!signed) refuse('the checkpoint was not signed by the key')
  const [origin, size, root] = text.split('\n')
  if (origin !== key.name || !/^(0|[1-9][0-9]{0,15})$/.test(size)) refuse('the checkpoint is of another log')
  return { size: BigInt(size), root: bytes(root) }
}

// rootFrom climbs from a leaf to the root: RFC 9162, section 2.1.3.2.
function rootFrom (leaf, index, size, path) {
  if (index < 0n || index >= size) refuse('the proof is of a larger log than the checkpoint')
  let hash = leaf
  let [at, last] = [index, size - 1n]
  for (const sibling of path) {
    if (last === 0n) refuse('the proof is too long')
    if (at % 2n === 1n || at === last) {
      hash = sha256('\x01', sibling, hash)
      while (at % 2n === 0n && at !== 0n) [at, last] = [at >> 1n, last >> 1n]
    } else {
      hash = sha256('\x01', hash, sibling)
    }
    [at, last] = [at >> 1n, last >> 1n]
  }
  if (last !== 0n) refuse('the proof is too short')
  return hash
}

// check returns what the register has of the receipt, or throws an error that says why not.
function check (receipt, proof, note, key) {
  const row = JSON.parse(proof.row)
  if (row.receipt !== 'sha-256:' + sha256(receipt).toString('hex')) refuse('the proof is of another receipt')
  const digest = sha256(bytes(proof.salt), proof.row).toString('hex')
  const leaf = sha256('\x00', `{"digest":"sha-256:${digest}","kind":"register"}\n`)
  const { size, root } = readCheckpoint(note, key)
  if (!rootFrom(leaf, BigInt(proof.index), size, proof.hashes.map(bytes)).equals(root)) {
    refuse('the receipt is not under the root of the checkpoint')
  }
  return row
}

const [receiptFile, proofFile, checkpointFile, publicKey] = process.argv.slice(2)
if (!publicKey) {
  console.error('usage: node verify.mjs RECEIPT.jws PROOF.json CHECKPOINT.txt PUBLIC-KEY')
  process.exit(2)
}
try {
  const row = check(readFileSync(receiptFile, 'utf8').trim(), JSON.parse(readFileSync(proofFile, 'utf8')),
    readFileSync(checkpointFile, 'utf8'), readKey(publicKey))
  console.log(`yes: office ${row.office_code}, number ${row.number} of ${row.year}, registered at ${row.at}`)
} catch (error) {
  console.log(`no: ${error.message}`)
  process.exit(1)
}
