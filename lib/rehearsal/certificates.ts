import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

/** A certificate and its key, as PEM text. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** An authority of one rehearsal's own: nothing else trusts it. */
export interface Authority {
  /** PEM text of its own certificate: what clients are given to verify with. */
  readonly ca: string;
  /** A server certificate. @param names host names and IP addresses that it is good for */
  issue(names: readonly string[], validity?: Validity): Promise<Certificate>;
}

export interface Validity {
  readonly from: Date;
  readonly until: Date;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 86_400_000;

/** @param now the validity begins a day before, and ends a day after */
export async function makeAuthority(now: Date): Promise<Authority> {
  const usual = { from: new Date(now.getTime() - day), until: new Date(now.getTime() + day) };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Keyturn rehearsal',
    notBefore: usual.from,
    notAfter: usual.until,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  let serial = 1;

  return {
    ca: root.toString('pem'),
    async issue(names, { from, until } = usual) {
      serial += 1;
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, '0'),
        subject: `CN=${names[0] ?? 'localhost'}`,
        issuer: root.subject,
        notBefore: from,
        notAfter: until,
        signingAlgorithm: algorithm,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: /^[0-9.]+$|:/.test(value) ? 'ip' : 'dns', value })),
          ),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
      });
      const key = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
      return {
        certificate: certificate.toString('pem'),
        key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
      };
    },
  };
}
