// Two clients that nobody here wrote go through everything that the metadata announce. A browser without scripts logs in and lets them in.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { api, consent, decide, fields, origin, redirect, register, visit } from './browser.mjs'

const open = { [oauth.allowInsecureRequests]: true }

async function callApi(token, status = 200) {
  const answer = await fetch(`${api}/contributors`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal(answer.status, status, await answer.clone().text())
}

const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const jwk = { ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid: 'k1', use: 'sig', alg: 'ES256' }
const { ext, key_ops, ...published } = jwk
const web = await register({})
const server = await register({ kind: 'confidential', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [published] } })

// oauth4webapi, as each kind of client.
for (const [c, auth] of [
  [{ client_id: web.client_id }, oauth.None()],
  [{ client_id: server.client_id }, oauth.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' })],
]) {
  const issuer = new URL(origin)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...open }))
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const asked = new URLSearchParams({
    client_id: c.client_id, response_type: 'code', redirect_uri: redirect, scope: 'declarations offline_access', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', resource: api,
  })
  const pushed = await oauth.processPushedAuthorizationResponse(as, c, await oauth.pushedAuthorizationRequest(as, c, auth, asked, open))
  const go = new URL(as.authorization_endpoint)
  go.search = new URLSearchParams({ client_id: c.client_id, request_uri: pushed.request_uri })
  const back = await decide(go.href, 'approve')
  assert.ok(back.address.startsWith(redirect), back.body)
  const params = oauth.validateAuthResponse(as, c, new URL(back.address), state)
  const tokens = await oauth.processAuthorizationCodeResponse(
    as, c, await oauth.authorizationCodeGrantRequest(as, c, auth, params, redirect, verifier, open))
  const claims = await oauth.validateJwtAccessToken(as, new Request(`${api}/contributors`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  }), api, open)
  assert.equal(claims.client_id, c.client_id)
  await callApi(tokens.access_token)
  const next = await oauth.processRefreshTokenResponse(as, c, await oauth.refreshTokenGrantRequest(as, c, auth, tokens.refresh_token, {
    ...open, additionalParameters: { scope: 'declarations' },
  }))
  assert.equal(next.scope, 'declarations')
  await callApi(next.access_token)
  if (c.client_id === server.client_id) {
    const seen = await oauth.processIntrospectionResponse(as, c, await oauth.introspectionRequest(as, c, auth, next.access_token, open))
    assert.equal(seen.active, true)
  }
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, c, auth, next.refresh_token, open))
  await callApi(next.access_token, 401)

  const device = await oauth.processDeviceAuthorizationResponse(as, c, await oauth.deviceAuthorizationRequest(as, c, auth, {
    scope: 'declarations',
  }, open))
  await assert.rejects(
    oauth.deviceCodeGrantRequest(as, c, auth, device.device_code, open).then((r) => oauth.processDeviceCodeResponse(as, c, r)),
    (e) => e.error === 'authorization_pending')
  const typed = await visit(`${origin}/oauth2/device`, fields(await decide(device.verification_uri), '/oauth2/device', { user_code: device.user_code }))
  await consent(typed, 'approve')
  const online = await oauth.processDeviceCodeResponse(as, c, await oauth.deviceCodeGrantRequest(as, c, auth, device.device_code, open))
  assert.equal(online.refresh_token, undefined)
  await callApi(online.access_token)
}

// openid-client: no state of its own, and a denial that it understands.
for (const [id, auth] of [[web.client_id, client.None()], [server.client_id, client.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' })]]) {
  const config = await client.discovery(new URL(origin), id, undefined, auth, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
  const verifier = client.randomPKCECodeVerifier()
  const parameters = {
    redirect_uri: redirect, scope: 'declarations offline_access', code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
  const go = await client.buildAuthorizationUrlWithPAR(config, parameters)
  const back = await decide(go.href, 'approve')
  const tokens = await client.authorizationCodeGrant(config, new URL(back.address), { pkceCodeVerifier: verifier })
  await callApi(tokens.access_token)
  const next = await client.refreshTokenGrant(config, tokens.refresh_token)
  await callApi(next.access_token)
  await client.tokenRevocation(config, next.refresh_token)
  await callApi(next.access_token, 401)
  const denied = await decide(client.buildAuthorizationUrl(config, parameters).href, 'refuse')
  await assert.rejects(client.authorizationCodeGrant(config, new URL(denied.address), { pkceCodeVerifier: verifier }), (e) => e.error === 'access_denied')
  const device = await client.initiateDeviceAuthorization(config, { scope: 'declarations' })
  const typed = await visit(`${origin}/oauth2/device`, fields(await decide(device.verification_uri), '/oauth2/device', { user_code: device.user_code }))
  await consent(typed, 'approve')
  await callApi((await client.pollDeviceAuthorizationGrant(config, device)).access_token)
}

// Both again with DPoP: the tokens are bound to a key, and a browser's page or a server proves with each request that it holds it.
const bound = await register({ dpop_bound_access_tokens: true })
for (const [c, auth] of [
  [{ client_id: bound.client_id }, oauth.None()],
  [{ client_id: server.client_id }, oauth.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' })],
]) {
  for (const alg of ['ES256', 'PS256', 'RS256']) {
    const issuer = new URL(origin)
    const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...open }))
    assert.ok(as.dpop_signing_alg_values_supported.includes(alg))
    const DPoP = oauth.DPoP(c, await oauth.generateKeyPair(alg))
    const proving = { ...open, DPoP }
    const call = (token, method = 'GET') => oauth.protectedResourceRequest(token, method, new URL(`${api}/contributors?limit=1`), undefined, null, proving)
    const verifier = oauth.generateRandomCodeVerifier()
    const asked = new URLSearchParams({
      client_id: c.client_id, response_type: 'code', redirect_uri: redirect, scope: 'declarations offline_access',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    })
    const pushed = await oauth.processPushedAuthorizationResponse(as, c, await oauth.pushedAuthorizationRequest(as, c, auth, asked, proving))
    const go = new URL(as.authorization_endpoint)
    go.search = new URLSearchParams({ client_id: c.client_id, request_uri: pushed.request_uri })
    const params = oauth.validateAuthResponse(as, c, new URL((await decide(go.href, 'approve')).address), oauth.expectNoState)
    // The code is bound to the key of the request.
    const stranger = { ...open, DPoP: oauth.DPoP(c, await oauth.generateKeyPair(alg)) }
    await assert.rejects(
      oauth.authorizationCodeGrantRequest(as, c, auth, params, redirect, verifier, stranger).then((r) => oauth.processAuthorizationCodeResponse(as, c, r)),
      (e) => e.error === 'invalid_grant')
    const tokens = await oauth.processAuthorizationCodeResponse(
      as, c, await oauth.authorizationCodeGrantRequest(as, c, auth, params, redirect, verifier, proving))
    assert.equal(tokens.token_type, 'dpop')
    assert.equal((await call(tokens.access_token)).status, 200)
    assert.equal((await call(tokens.access_token, 'HEAD')).status, 200)
    await callApi(tokens.access_token, 401)
    await assert.rejects(
      oauth.protectedResourceRequest(tokens.access_token, 'GET', new URL(`${api}/contributors`), undefined, null, stranger),
      (e) => e.cause.some((one) => one.scheme === 'dpop' && one.parameters.error === 'invalid_dpop_proof' && one.parameters.algs.includes(alg)))
    const next = await oauth.processRefreshTokenResponse(as, c, await oauth.refreshTokenGrantRequest(as, c, auth, tokens.refresh_token, proving))
    assert.equal((await call(next.access_token)).status, 200)
    if (c.client_id === server.client_id) {
      const seen = await oauth.processIntrospectionResponse(as, c, await oauth.introspectionRequest(as, c, auth, next.access_token, open))
      assert.equal(seen.token_type, 'DPoP')
      assert.equal(seen.cnf.jkt, await DPoP.calculateThumbprint())
    }
    const device = await oauth.processDeviceAuthorizationResponse(as, c, await oauth.deviceAuthorizationRequest(as, c, auth, { scope: 'declarations' }, open))
    const typed = await visit(`${origin}/oauth2/device`, fields(await decide(device.verification_uri), '/oauth2/device', { user_code: device.user_code }))
    await consent(typed, 'approve')
    const online = await oauth.processDeviceCodeResponse(as, c, await oauth.deviceCodeGrantRequest(as, c, auth, device.device_code, proving))
    assert.equal((await call(online.access_token)).status, 200)
  }
}
for (const [id, auth] of [[bound.client_id, client.None()], [server.client_id, client.PrivateKeyJwt({ key: pair.privateKey, kid: 'k1' })]]) {
  const config = await client.discovery(new URL(origin), id, undefined, auth, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  const verifier = client.randomPKCECodeVerifier()
  const go = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: redirect, scope: 'declarations offline_access', code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }, { DPoP })
  const tokens = await client.authorizationCodeGrant(
    config, new URL((await decide(go.href, 'approve')).address), { pkceCodeVerifier: verifier }, undefined, { DPoP })
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
  const answer = await client.fetchProtectedResource(config, next.access_token, new URL(`${api}/contributors`), 'GET', undefined, undefined, { DPoP })
  assert.equal(answer.status, 200)
  const device = await client.initiateDeviceAuthorization(config, { scope: 'declarations' })
  const typed = await visit(`${origin}/oauth2/device`, fields(await decide(device.verification_uri), '/oauth2/device', { user_code: device.user_code }))
  await consent(typed, 'approve')
  const online = await client.pollDeviceAuthorizationGrant(config, device, undefined, { DPoP })
  assert.equal((await client.fetchProtectedResource(config, online.access_token, new URL(`${api}/contributors`), 'GET', undefined, undefined, { DPoP })).status, 200)
}
console.log('let in')
