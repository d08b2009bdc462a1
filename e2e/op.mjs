// An OpenID Connect provider for the tests: oidc-provider with two people.
// Usage: node op.mjs PORT REDIRECT_URI...
import * as oidc from 'oidc-provider';

const [port, ...redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = {
  erin: { name: 'Erin Example', email: 'erin@corp.example', email_verified: true, groups: ['engineering'] },
  frank: { name: 'Frank Example', email: 'frank@corp.example', email_verified: false },
};
const provider = new oidc.Provider(issuer, {
  clients: [{
    client_id: 'gateway', client_secret: 'a secret of the tests', redirect_uris: redirects,
    post_logout_redirect_uris: [], token_endpoint_auth_method: 'client_secret_basic',
  }],
  claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...(people[id] ?? {}) }) }),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
