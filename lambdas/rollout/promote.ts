import { publishingStage } from './publish-phase.ts';

/** Publishes the version in which the new value is used and the old one still accepted. */
export const stage = publishingStage('promote', 'promoted');
