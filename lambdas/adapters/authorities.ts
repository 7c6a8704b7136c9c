/** Who may have signed a server's certificate, as Node's TLS takes it. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { KeyturnError } from '../contract/errors.ts';
import type { Authorities } from '../contract/target.ts';

/** Read once in a process: the files of Lambda's runtime do not change under it. */
const amazonAuthorities = new Map<string, readonly string[]>();

/**
 * @returns PEM texts for the member `ca`, which replaces the roots that Node ships; undefined: those.
 * @throws KeyturnError DeploymentInvalid when a file cannot be read.
 */
export function authoritiesOf(authorities: Authorities): string[] | undefined {
  if (authorities === 'system') return undefined;
  if (authorities === 'rds') return [...amazon()];
  return ['pem' in authorities ? authorities.pem : read(authorities.path)];
}

/**
 * Amazon's own: those of RDS and Aurora, in a file of Lambda's Node.js runtimes that they no longer load themselves
 * (Lambda developer guide, "Node.js", "CA certificate loading"), and those of ACM, which sign for RDS Proxy and
 * ElastiCache and which Node ships.
 */
function amazon(): readonly string[] {
  // Lambda sets it to /var/runtime (developer guide, "Defined runtime environment variables").
  const file = join(process.env.LAMBDA_RUNTIME_DIR ?? '/var/runtime', 'ca-cert.pem');
  const known = amazonAuthorities.get(file);
  if (known !== undefined) return known;
  const found = [
    read(
      file,
      'It is there in Lambda’s Node.js runtimes. Elsewhere, store https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem under that name, and name its folder in LAMBDA_RUNTIME_DIR.',
    ),
    ...rootCertificates.filter((pem) => /^O=Amazon$/m.test(new X509Certificate(pem).subject)),
  ];
  amazonAuthorities.set(file, found);
  return found;
}

function read(file: string, hint?: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `The file of certificate authorities must be readable; ${file} is not.`,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
