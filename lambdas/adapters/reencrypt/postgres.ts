import { hook } from '../../hooks/reencrypt/postgres.ts';
import { random } from '../platform.ts';
import { postgres } from '../postgres/sql.ts';

/** Read by the generated entries of the stages that move and count data. */
export const connected = () => hook.connect({ sql: postgres, random });
