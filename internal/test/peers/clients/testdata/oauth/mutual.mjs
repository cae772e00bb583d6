// Two clients that nobody here wrote come with a certificate (RFC 8705): one beside a key in the key set, or one that an authority issued.
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { Agent, fetch as send } from 'undici'
import { api, decide, origin, redirect, register } from './browser.mjs'

const ca = readFileSync(process.env.MUTUAL_CA)
const mutualApi = `${process.env.MUTUAL_URL}/v1`

// holder is who has a certificate with its key, or none.
function holder(file) {
  const pem = file && readFileSync(file)
  const dispatcher = new Agent({ connect: { ca, cert: pem, key: pem } })
  return { pem, fetch: (address, options) => send(address, { ...options, dispatcher }) }
}
const own = holder(process.env.MUTUAL_OWN)
const issued = holder(process.env.MUTUAL_ISSUED)
const nobody = holder()

const x509 = new X509Certificate(own.pem)
const jwks = { keys: [{ ...x509.publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', x5c: [x509.raw.toString('base64')] }] }
const certified = (more) => register({ kind: 'confidential', tls_client_certificate_bound_access_tokens: true, ...more })
const kinds = [
  [await certified({ token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks }), own, issued],
  [await certified({ token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: process.env.MUTUAL_SUBJECT }), issued, own],
  [await certified({ token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'server.paghe.example' }), issued, own],
]
const thumbprint = (pem) => createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url')

async function call(token, who, status) {
  const answer = await who.fetch(`${mutualApi}/contributors`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(answer.status, status, await answer.text())
}

// used shows that a token is good with the certificate alone to which it is bound.
async function used(token, mine, other) {
  await call(token, mine, 200)
  await call(token, other, 401)
  await call(token, nobody, 401)
  const elsewhere = await fetch(`${api}/contributors`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(elsewhere.status, 401)
}

for (const [registered, mine, other] of kinds) {
  const c = { client_id: registered.client_id, use_mtls_endpoint_aliases: true }
  const method = registered.token_endpoint_auth_method
  const issuer = new URL(origin)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, {
    algorithm: 'oauth2', [oauth.allowInsecureRequests]: true,
  }))
  assert.equal(as.mtls_endpoint_aliases.token_endpoint, `${process.env.MUTUAL_URL}/oauth2/token`)
  assert.ok(as.token_endpoint_auth_methods_supported.includes(method))
  assert.equal(as.tls_client_certificate_bound_access_tokens, true)
  const by = (who) => ({ [oauth.customFetch]: who.fetch })
  const auth = oauth.TlsClientAuth()
  const verifier = oauth.generateRandomCodeVerifier()
  const asked = new URLSearchParams({
    response_type: 'code', redirect_uri: redirect, scope: 'declarations offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })
  const push = async (who) => oauth.processPushedAuthorizationResponse(as, c, await oauth.pushedAuthorizationRequest(as, c, auth, asked, by(who)))
  for (const wrong of [other, nobody]) await assert.rejects(push(wrong), (e) => e.error === 'invalid_client' || e.status === 401)
  const pushed = await push(mine)
  const go = new URL(as.authorization_endpoint)
  go.search = new URLSearchParams({ client_id: c.client_id, request_uri: pushed.request_uri })
  const params = oauth.validateAuthResponse(as, c, new URL((await decide(go.href, 'approve')).address), oauth.expectNoState)
  const redeem = async (who) => oauth.processAuthorizationCodeResponse(
    as, c, await oauth.authorizationCodeGrantRequest(as, c, auth, params, redirect, verifier, by(who)))
  await assert.rejects(redeem(other), (e) => e.error === 'invalid_client')
  const tokens = await redeem(mine)
  await used(tokens.access_token, mine, other)
  const seen = await oauth.processIntrospectionResponse(as, c, await oauth.introspectionRequest(as, c, auth, tokens.access_token, by(mine)))
  assert.equal(seen.cnf['x5t#S256'], thumbprint(mine.pem))
  const next = await oauth.processRefreshTokenResponse(as, c, await oauth.refreshTokenGrantRequest(as, c, auth, tokens.refresh_token, by(mine)))
  await used(next.access_token, mine, other)
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, c, auth, next.refresh_token, by(mine)))
  await call(next.access_token, mine, 401)

  const config = await client.discovery(new URL(origin), c.client_id, { use_mtls_endpoint_aliases: true }, client.TlsClientAuth(), {
    algorithm: 'oauth2', execute: [client.allowInsecureRequests],
  })
  config[client.customFetch] = mine.fetch
  const pkce = client.randomPKCECodeVerifier()
  const to = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: redirect, scope: 'declarations offline_access', code_challenge: await client.calculatePKCECodeChallenge(pkce),
    code_challenge_method: 'S256',
  })
  const given = await client.authorizationCodeGrant(config, new URL((await decide(to.href, 'approve')).address), { pkceCodeVerifier: pkce })
  const renewed = await client.refreshTokenGrant(config, given.refresh_token)
  const answer = await client.fetchProtectedResource(config, renewed.access_token, new URL(`${mutualApi}/contributors`), 'GET')
  assert.equal(answer.status, 200)
  await used(renewed.access_token, mine, other)
  assert.equal((await client.tokenIntrospection(config, renewed.access_token)).cnf['x5t#S256'], thumbprint(mine.pem))
}
console.log('let in')
