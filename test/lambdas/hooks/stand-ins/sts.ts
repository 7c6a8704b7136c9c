/**
 * STS as a cluster uses it: it gets a presigned URL and says who signed it. The signature is computed again
 * from the documentation (IAM user guide, "Create a signed AWS API request"), not with the SDK's signer.
 */
import { createHash, createHmac } from 'node:crypto';

export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export type Answer =
  | { readonly ok: true; readonly arn: string }
  | { readonly ok: false; readonly why: string };

/** STS takes a presigned URL for 15 minutes. */
const lifetime = 15 * 60_000;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** @param headers as the caller sends them; names in lower case. */
export function getCallerIdentity(
  url: URL,
  headers: Readonly<Record<string, string>>,
  known: Identity,
  now: number,
): Answer {
  const query = url.searchParams;
  if (query.get('Action') !== 'GetCallerIdentity' || query.get('Version') !== '2011-06-15') {
    return { ok: false, why: 'another action' };
  }
  const date = query.get('X-Amz-Date') ?? '';
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(now - at) < lifetime)) return { ok: false, why: 'expired' };
  const [accessKeyId, day = '', region = '', service = ''] = (query.get('X-Amz-Credential') ?? '').split('/');
  if (accessKeyId !== known.accessKeyId || service !== 'sts') return { ok: false, why: 'unknown key' };
  const signed = (query.get('X-Amz-SignedHeaders') ?? '').split(';');
  if (signed.some((name) => headers[name] === undefined))
    return { ok: false, why: 'a signed header is missing' };
  const parameters = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort((a, b) => (a < b ? -1 : 1));
  const canonical = [
    'GET',
    '/',
    parameters.join('&'),
    ...signed.map((name) => `${name}:${headers[name] ?? ''}`),
    '',
    signed.join(';'),
    sha256(''),
  ].join('\n');
  const scope = `${day}/${region}/sts/aws4_request`;
  const key = [day, region, 'sts', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${known.secretAccessKey}`,
  );
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString(
    'hex',
  );
  return signature === query.get('X-Amz-Signature')
    ? { ok: true, arn: 'arn:aws:sts::111122223333:assumed-role/keyturn-redeploy/keyturn' }
    : { ok: false, why: 'the signature does not match' };
}

const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
