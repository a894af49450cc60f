// An OIDC issuer of somebody else: oidc-provider from npm. The issuer's URL is in
// ISSUER, the package in the folder OIDC_PROVIDER; the port goes to standard output.
const { default: Provider } = await import(process.env.OIDC_PROVIDER + '/lib/index.js');

const provider = new Provider(process.env.ISSUER, {
  clients: [{
    client_id: 'console', client_secret: 'not-a-secret', redirect_uris: ['https://app.example.org/callback'],
    grant_types: ['authorization_code'], response_types: ['code'],
  }],
  claims: { openid: ['sub', 'groups', 'https://aws.amazon.com/tags'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, groups: ['storage', 'staff'],
      'https://aws.amazon.com/tags': { principal_tags: { Team: ['blue'] }, transitive_tag_keys: ['Team'] },
    }),
  }),
});
provider.proxy = true; // TLS ends before it
provider.on('server_error', (ctx, error) => console.error(error));
const server = provider.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
