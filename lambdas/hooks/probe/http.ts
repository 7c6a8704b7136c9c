import * as z from 'zod/mini';
import type { SecretDocument } from '../../contract/document.ts';
import { defineProbe } from '../../contract/hooks.ts';
import { addressBreaks } from './address.ts';
import { target } from './answer.ts';
import { exchange } from './exchange.ts';

const Probe = z.strictObject({
  kind: z.literal('http'),
  ...target,
  /**
   * Request headers. `{VARIABLE}` stands for a variable of the document, `{VARIABLE:base64-decoded}` for what
   * it decodes to.
   */
  headers: z.record(z.string(), z.string()),
});
type Probe = z.infer<typeof Probe>;

const placeholder = /\{([A-Za-z_][A-Za-z0-9_]*)(:base64-decoded)?\}/g;

/** A GET with the value in a header: bearer tokens, API keys. */
export const hook = defineProbe<Probe>({
  kind: 'http',
  probe: Probe,

  check(probe) {
    if (probe.url === undefined) return 'probe must have the field url, or path with the deployment’s url.';
    const text = Object.values(probe.headers).join(' ');
    return text.search(placeholder) < 0
      ? 'probe.headers must use a variable of the secret, as {VARIABLE}: a probe without it proves nothing.'
      : addressBreaks('probe.url', probe.url);
  },

  async ask(probe, document, ports) {
    const headers = new Map(
      Object.entries(probe.headers).map(([name, template]) => [name, filled(template, document)]),
    );
    return exchange({ ...probe, url: probe.url ?? '', headers }, ports);
  },
});

function filled(template: string, document: SecretDocument): string {
  return template.replaceAll(placeholder, (_all, variable: string, decoded?: string) => {
    const value = document.value(variable).reveal();
    return decoded === undefined ? value : Buffer.from(value, 'base64').toString('utf8');
  });
}
