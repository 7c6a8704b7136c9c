/**
 * Takes the place of `@aws-sdk/credential-provider-node` in the bundles of functions. Lambda gives a function's
 * credentials in its environment, and in no other way (developer guide, "Defined runtime environment variables"); what
 * looks for them in profiles, single sign-on and instance metadata was a third of most bundles, read at each cold start.
 */
import { KeyturnError } from '../../contract/errors.ts';

export interface RuntimeCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** As the SDK's clients call it. @throws KeyturnError SettingsInvalid where the runtime gives none. */
export function defaultProvider(): () => Promise<RuntimeCredentials> {
  return async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
    if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
      throw new KeyturnError({
        code: 'SettingsInvalid',
        message: 'The runtime must give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; it does not.',
        hint: 'A function of Keyturn runs in Lambda, under the role of its stack.',
      });
    }
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
    };
  };
}
