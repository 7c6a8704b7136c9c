import type { ConnectedTarget } from '../../contract/target.ts';
import { random } from '../platform.ts';
import { postgresTarget } from '../postgres/target.ts';

export const connected = (): ConnectedTarget => ({ engine: 'postgres', target: postgresTarget(random) });
