import { publishingStage } from './publish-phase.ts';

/** Publishes the version without the old value. Only after hold and verify: what it drops may not come back. */
export const stage = publishingStage('retire', 'retired');
