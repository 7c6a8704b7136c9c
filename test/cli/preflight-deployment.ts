/**
 * A deployment of every kind of secret that a preflight tells apart. @param ca the authority of its server, as PEM text
 */
export function deployment(ca: string): object {
  const secret = (name: string, of: object) => ({ source: { import: { name } }, consumers: ['web'], ...of });
  const database = (options: object) => ({
    class: 'database-credential',
    options: { dsn: 'DATABASE_URL', tls: { authorities: { pem: ca } }, ...options },
  });
  return {
    name: 'shop',
    platform: 'ocore',
    url: 'http://127.0.0.1:9',
    secrets: {
      SINGLE: secret('shop/single', database({})),
      PAIR: secret(
        'shop/pair',
        database({
          users: ['pair_a', 'pair_b'],
          owner: 'pair_owner',
          admin: {
            user: { secret: 'shop/admin', member: 'username' },
            password: { secret: 'shop/admin', member: 'password' },
          },
        }),
      ),
      TOKEN: secret('shop/token', {
        class: 'opaque-token',
        options: { variable: 'TOKEN', format: { encoding: 'hex', bytes: 32 } },
      }),
      MASTER: secret('shop/master', { class: 'observed' }),
    },
    network: {
      vpcId: 'vpc-0123456789abcdef0',
      subnetIds: ['subnet-0123456789abcdef0', 'subnet-0fedcba9876543210'],
      targets: [{ securityGroupId: 'sg-0123456789abcdef0', port: 5432 }],
    },
    consumers: { web: { kind: 'ecs', cluster: 'shop', service: 'web' } },
  };
}
