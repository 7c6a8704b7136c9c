import type { Clock } from '../../contract/ports.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { hostOf, type Signing, signer } from '../aws/signed.ts';

/**
 * Seconds that the presigned URL names. STS takes it for 15 minutes whatever it says, but older servers want a
 * value up to 60 (kubernetes-sigs/aws-iam-authenticator, pkg/token).
 */
const expiry = 60;

/** Milliseconds that one token is used: well within what the URL names, clocks that differ included. */
const lifetime = 45_000;

/**
 * Bearer tokens of EKS: the presigned URL of an STS call, which the cluster makes to learn who asks. The
 * header `x-k8s-aws-id` is signed with it, so that a token is good for one cluster only (EKS best practices
 * guide, "Identity and Access Management", "Controlling access to EKS clusters").
 */
export function clusterTokens(signing: Signing): (cluster: string, region: string) => Promise<Sensitive> {
  const made = new Map<string, { readonly token: Sensitive; readonly until: number }>();
  return async (cluster, region) => {
    const key = `${region}/${cluster}`;
    const now = signing.clock.now().getTime();
    const known = made.get(key);
    if (known !== undefined && now < known.until) return known.token;
    const token = await newToken(signing, cluster, region, signing.clock);
    made.set(key, { token, until: now + lifetime });
    return token;
  };
}

async function newToken(signing: Signing, cluster: string, region: string, clock: Clock): Promise<Sensitive> {
  const host = hostOf('sts', region);
  const { query } = await signer(signing, 'sts', region).presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname: host,
      path: '/',
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
      headers: { host, 'x-k8s-aws-id': cluster },
    },
    { expiresIn: expiry, signingDate: clock.now() },
  );
  const parameters = Object.entries(query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  const url = `https://${host}/?${parameters.join('&')}`;
  return new Sensitive(`k8s-aws-v1.${Buffer.from(url).toString('base64url')}`);
}
