import type { ConnectedTarget } from '../../contract/target.ts';
import { mysqlTarget } from '../mysql/target.ts';
import { random } from '../platform.ts';

export const connected = (): ConnectedTarget => ({ engine: 'mysql', target: mysqlTarget(random) });
