/** The stages of rollouts: a stage is its file, its line here and its row in the contract's table. */

import type { StageDefinition } from '../contract/stage.ts';
import type { StageId } from '../contract/stages.ts';
import { stage as complete } from './complete.ts';
import { stage as countInstances } from './count-instances.ts';
import { stage as countLeft } from './count-left.ts';
import { stage as disable } from './disable.ts';
import { stage as drain } from './drain.ts';
import { stage as handOver } from './hand-over.ts';
import { stage as hold } from './hold.ts';
import { stage as listInstances } from './list-instances.ts';
import { stage as markSessions } from './mark-sessions.ts';
import { stage as promote } from './promote.ts';
import { stage as prove } from './prove.ts';
import { stage as quiesce } from './quiesce.ts';
import { stage as redeploy } from './redeploy.ts';
import { stage as reencrypt } from './reencrypt.ts';
import { stage as renewInstances } from './renew-instances.ts';
import { stage as retire } from './retire.ts';
import { stage as rollBack } from './roll-back.ts';
import { stage as rolledBack } from './rolled-back.ts';
import { stage as settle } from './settle.ts';
import { stage as stall } from './stall.ts';
import { stage as sweepRange } from './sweep-range.ts';
import { stage as verify } from './verify.ts';
import { stage as withdraw } from './withdraw.ts';

export const stageDefinitions: Readonly<Record<StageId, StageDefinition>> = {
  settle,
  redeploy,
  promote,
  hold,
  quiesce,
  reencrypt,
  'sweep-range': sweepRange,
  verify,
  'count-left': countLeft,
  retire,
  'list-instances': listInstances,
  'renew-instances': renewInstances,
  'count-instances': countInstances,
  'mark-sessions': markSessions,
  drain,
  disable,
  prove,
  complete,
  'roll-back': rollBack,
  withdraw,
  'hand-over': handOver,
  'rolled-back': rolledBack,
  stall,
};
