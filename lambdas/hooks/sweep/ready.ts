/** What is looked at before the first row is changed. */
import type { Cipher } from '../../contract/ciphers.ts';
import type { Clock, Random } from '../../contract/ports.ts';
import type { Slice } from '../../contract/reencryption.ts';
import { type Column, codecOfColumn } from './columns.ts';
import type { Connection } from './connection.ts';
import { factsOf, type TableFacts } from './facts.ts';
import { OwnWrites } from './own-writes.ts';
import { pagesOf } from './pages.ts';
import { demandRightCodec } from './pass.ts';
import { demandNoObstacle } from './plan-check.ts';

/** A column that nothing keeps from being swept. */
export interface Ready {
  readonly column: Column;
  readonly facts: TableFacts;
  readonly cipher: Cipher;
}

/** @throws KeyturnError HookRefused when one of the columns is not what the database has. */
export async function readyOf(
  columns: readonly Column[],
  { ring, dryRun }: Slice,
  reader: Connection,
  { random, clock }: { readonly random: Random; readonly clock: Clock },
): Promise<Ready[]> {
  const intent = { writes: !dryRun, versioned: ring.write.version !== undefined };
  const ready: Ready[] = [];
  for (const column of columns) {
    const facts = await factsOf(column, reader);
    demandNoObstacle(column, facts, intent);
    ready.push({ column, facts, cipher: codecOfColumn(column).bind(ring, random, clock) });
  }
  return ready;
}

/** @throws KeyturnError HookRefused when nothing on the first page of a column can be read. */
export async function demandReadable(
  { column, facts, cipher }: Ready,
  { ring }: Slice,
  batch: number,
  reader: Connection,
): Promise<void> {
  const { rows } = await pagesOf(column, facts, new OwnWrites(), reader, reader).read(null, batch);
  demandRightCodec(column, cipher, ring, rows);
}
