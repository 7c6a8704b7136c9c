/** The kinds of lists of deployed instances: a kind is its file and its line here. */
import type { FleetKind } from '../../contract/fleet-hooks.ts';
import { hook as http } from './http.ts';

export const fleetKinds: ReadonlyMap<string, FleetKind> = new Map([http].map((hook) => [hook.kind, hook]));
