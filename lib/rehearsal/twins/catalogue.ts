/** The platforms that a rehearsal can play: a platform is its file and its line here. */
import { crewai } from './crewai.ts';
import { exo } from './exo.ts';
import { kaireon } from './kaireon.ts';
import { ocore } from './ocore.ts';
import { tessallite } from './tessallite.ts';
import type { Twin } from './twin.ts';

export const twins: ReadonlyMap<string, Twin> = new Map(
  [crewai, exo, kaireon, ocore, tessallite].map((twin): [string, Twin] => [twin.platform, twin]),
);
