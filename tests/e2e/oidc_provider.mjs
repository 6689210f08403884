// A real OpenID Connect provider for one test, as its child.
//
//   node oidc_provider.mjs FOLDER   where FOLDER holds the package `oidc-provider`
//
// Prints its issuer, then takes one JSON a line and answers each with a line:
//   {"redirect_uri": "…"}                        begins to serve the client `resync`
//   {"person": "…", "name": "…", "groups": […]}  what it says of somebody
//   {"rotate": true}                             new keys, the old ones are gone
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { default: Provider } = await import(pathToFileURL(`${process.argv[2]}/lib/index.js`).href);
const people = new Map();
let handle = (_, response) => response.writeHead(503).end();
let issuer;
let redirect;
let turn = 0;

function serve() {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  turn += 1;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'resync', client_secret: 'a secret: with / signs', redirect_uris: [redirect],
      grant_types: ['authorization_code'], response_types: ['code'],
    }],
    jwks: { keys: [{ ...key, kid: `key-${turn}`, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['of a test'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'groups'],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: people.get(id)?.name, groups: people.get(id)?.groups ?? [] }),
    }),
  });
  handle = provider.callback();
}

const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(`issuer ${issuer}`);
});
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const order = JSON.parse(line);
  if (order.redirect_uri) { redirect = order.redirect_uri; serve(); }
  if (order.person) people.set(order.person, order);
  if (order.rotate) serve();
  console.log('done');
});
lines.on('close', () => process.exit(0));
