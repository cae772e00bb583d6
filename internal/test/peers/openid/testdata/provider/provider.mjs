// A provider by oidc-provider that lets its one person in without asking. The first line of its
// input names the clients; what it says is on its output.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';

const fiscal = 'https://attributes.eid.gov.it/fiscal_number';
const line = await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', resolve));
const { clients, acrs } = JSON.parse(line);

const keys = [];
for (const alg of ['RS256', 'ES256']) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.push({ ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `op-${alg}` });
}

// acr is what the next login reaches; without one it is what was asked for.
let acr;
// denies ends the next login.
let denies = false;

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  jwks: { keys },
  acrValues: acrs,
  claims: {
    openid: ['sub'],
    profile: [fiscal, 'fiscal_number', 'given_name', 'family_name', 'birthdate', 'place_of_birth', 'email', 'phone_number'],
  },
  scopes: ['openid', 'profile'],
  clientDefaults: { grant_types: ['authorization_code'], response_types: ['code'] },
  enabledJWA: {
    userinfoEncryptionAlgValues: ['RSA-OAEP', 'RSA-OAEP-256'],
    userinfoEncryptionEncValues: ['A128CBC-HS256', 'A256CBC-HS512'],
    requestObjectSigningAlgValues: ['RS256'],
  },
  features: {
    devInteractions: { enabled: false }, claimsParameter: { enabled: true }, revocation: { enabled: true },
    jwtUserinfo: { enabled: true }, encryption: { enabled: true }, requestObjects: { enabled: true },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, [fiscal]: 'TINIT-RSSMRA80A01H501U', fiscal_number: 'RSSMRA80A01H501U', given_name: 'Mario', family_name: 'Rossi',
      birthdate: '1980-01-01', place_of_birth: { locality: 'H501' }, email: 'mario@example.org',
    }),
  }),
  cookies: { keys: ['only-for-this-test'] },
  ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 60, Grant: 60, Session: 60 },
});

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (denies) {
    denies = false;
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'ErrorCode nr25' });
  }
  if (prompt.name === 'login') {
    const reached = acr ?? params.acr_values;
    return provider.interactionFinished(request, response, { login: { accountId: 'mario', acr: reached } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid profile');
  grant.addOIDCClaims([fiscal, 'fiscal_number', 'given_name', 'family_name', 'birthdate', 'place_of_birth', 'email', 'phone_number']);
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const serve = provider.callback();
server.on('request', (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/next') {
    acr = url.searchParams.get('acr') ?? undefined;
    denies = url.searchParams.has('denies');
    return response.end();
  }
  if (url.pathname.startsWith('/interaction/')) {
    return interact(request, response).catch((error) => {
      console.error(error);
      response.statusCode = 500;
      response.end();
    });
  }
  return serve(request, response);
});
for (const event of ['server_error', 'authorization.error', 'grant.error', 'userinfo.error', 'revocation.error']) {
  provider.on(event, (ctx, error) => console.error(event, error.message, error.error_detail ?? ''));
}
console.log(`listening on ${issuer}`);
