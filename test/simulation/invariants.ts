/**
 * What must hold after every single effect, and at the end. A checker watches one world; it reads what is
 * stored, never what the code under test says of itself.
 */
import { flawOf } from '../../lambdas/contract/events.ts';
import { documentOf, type Rollout, type RolloutEnd, textsOf, type World } from './world.ts';

export class Checker {
  readonly broken: string[] = [];
  #currentId: string | null | undefined;
  #values = new Map<string, string>();
  readonly #known = new Map<string, string>();
  /** Key -> when a task was last seen to sign with it. */
  readonly #signedAt = new Map<string, number>();

  /** To be called after every effect. */
  readonly check = (world: World, after: string): void => {
    this.#oneValuePerVersion(world, after);
    this.#currentMovesForward(world, after);
    this.#oneHolderOfEachLabel(world, after);
    this.#valueInUseIsReadable(world, after);
    this.#tokensLiveOn(world, after);
    this.#dataIsKept(world, after);
    this.#everybodyGetsIn(world, after);
  };

  /** To be called once, when nothing moves any more. */
  atEnd(world: World): void {
    this.check(world, 'the end');
    this.#everyRotationEnded(world);
    this.#everyRolloutEnded(world);
    this.#oldValuesAreDead(world);
    this.#oldLoginsAreDead(world);
    this.#nothingLeaked(world);
    this.#noStrayVersion(world);
    this.#everyEventFitsItsTable(world);
  }

  /** A version's value is written once. */
  #oneValuePerVersion(world: World, after: string): void {
    for (const version of world.versions()) {
      const text = version.value?.kind === 'string' ? version.value.text : null;
      if (text === null) continue;
      const before = this.#known.get(version.id);
      if (before !== undefined && before !== text)
        this.#break(after, `the value of version ${version.id} changed`);
      this.#known.set(version.id, text);
    }
  }

  /**
   * AWSCURRENT leaves a version only for one that was made from it, or by a person's edit; and what it
   * reaches has a value that was complete.
   */
  #currentMovesForward(world: World, after: string): void {
    const currentId = world.currentId();
    if (
      this.#currentId !== undefined &&
      currentId !== this.#currentId &&
      !world.edits.includes(currentId ?? '')
    ) {
      const document = world.currentDocument();
      // A roll-back moves it to the version that the consumers are known to run with: here the first.
      const wentBack =
        (world.stubborn && currentId === world.versions()[0]?.id) ||
        (world.data !== null && this.#isPhaseBefore(world));
      if (document === null) this.#break(after, 'AWSCURRENT was lost');
      else if (!document.has(world.variable))
        this.#break(after, 'AWSCURRENT reached a version without a value');
      else if (document.memory?.base !== this.#currentId && !wentBack && !this.#isNextPhase(world)) {
        this.#break(
          after,
          `AWSCURRENT moved from ${this.#currentId} to a version made from ${document.memory?.base}`,
        );
      }
    }
    this.#currentId = currentId;
  }

  #oneHolderOfEachLabel(world: World, after: string): void {
    const labels = world.versions().flatMap((version) => version.labels);
    if (new Set(labels).size !== labels.length) this.#break(after, 'a label is on two versions');
  }

  /** A phase is published from the phase before it, of the same rotation. */
  #isNextPhase(world: World): boolean {
    const order = ['introduced', 'promoted', 'retired'];
    if (world.currentDocument()?.memory?.phase === 'withdrawn') order.splice(1, 2, 'withdrawn');
    const memory = world.currentDocument()?.memory ?? null;
    const left = world.versions().find(({ id }) => id === this.#currentId);
    const before = left === undefined ? null : documentOf(left).memory;
    if (memory?.root === undefined || before?.root !== memory.root) return false;
    return order.indexOf(memory.phase ?? '') === order.indexOf(before.phase ?? '') + 1;
  }

  /** A rollout of a data key goes back to the phase before, or to the version that its rotation began with. */
  #isPhaseBefore(world: World): boolean {
    const left = world.versions().find(({ id }) => id === this.#currentId);
    const before = left === undefined ? null : documentOf(left).memory;
    const phase = world.currentDocument()?.memory?.phase;
    const isBase =
      before?.phase === (world.introduces ? 'introduced' : 'promoted') && world.currentId() === before.base;
    return isBase || (before?.phase === 'promoted' && phase === 'introduced');
  }

  /** What a task runs with can still be read: nothing that may be needed is gone. */
  #valueInUseIsReadable(world: World, after: string): void {
    this.#values = new Map(
      world.versions().flatMap((version) => {
        const document = documentOf(version);
        return document.has(world.variable) ? [[document.value(world.variable).reveal(), version.id]] : [];
      }),
    );
    for (const value of world.applications.flatMap(({ values }) => values)) {
      if (value !== null && !this.#values.has(value))
        this.#break(after, 'a task runs with a value that no version holds');
    }
  }

  /**
   * With overlapping keys nobody is logged out: whatever key a task signs with now, or has signed with within
   * the life of a token, every task accepts.
   */
  #tokensLiveOn(world: World, after: string): void {
    const life = world.tokenLifeSeconds;
    if (life === null || world.edits.length > 0) return;
    const now = world.clock.now();
    for (const { TOKEN = '' } of world.application.documents) this.#signedAt.set(TOKEN, now);
    for (const [key, at] of this.#signedAt) {
      if (now - at > life * 1000) continue;
      for (const { TOKEN, ACCEPTED = '' } of world.application.documents) {
        if (TOKEN !== key && !ACCEPTED.split(',').includes(key))
          this.#break(after, 'a token died before its time');
      }
    }
  }

  /**
   * I3: a key of every row is in a version that has a label. I4: a row holds what its last writer was told. Nobody
   * meets a row that cannot be read, but where a person typed other keys; and a key is dropped once nothing needs it.
   */
  #dataIsKept(world: World, after: string): void {
    const { store, data } = world;
    if (store === null || data === null) return;
    const kept = new Set(
      world.versions().flatMap((version) => (version.labels.length === 0 ? [] : textsOf(version))),
    );
    for (const [id, { plain, under }] of store.rows) {
      if (id.startsWith('poisoned')) continue;
      if (!kept.has(under)) this.#break(after, `${id} is under a key that no labelled version holds`);
      if (plain !== store.acknowledged.get(id)) this.#break(after, `an acknowledged write of ${id} is lost`);
    }
    for (const id of world.unnamedKeys.splice(0)) {
      this.#break(after, `a hook was not told the version that holds the key ${id}`);
    }
    const failed = store.failedReads.splice(0);
    if (failed.length > 0 && world.edits.length === 0) this.#break(after, `${failed[0]} could not be read`);
    const { memory } = world.currentDocument() ?? {};
    if ((memory?.phase !== 'retired' && memory?.phase !== 'withdrawn') || memory.root === undefined) return;
    const left = store.notUnder(world.currentDocument()?.value(world.variable).reveal() ?? '');
    if (left.length > 0) this.#break(after, `${left[0]} still needs a key that was dropped`);
  }

  /** I2: at a server that takes two credentials, the current one and those of all running tasks work at every instant. */
  #everybodyGetsIn(world: World, after: string): void {
    const { database } = world;
    if (database === null || world.edits.length > 0) return;
    const current = world.currentDocument();
    if (current !== null && !database.accepts(current)) this.#break(after, 'AWSCURRENT does not get in');
    if (database.lockedOut().length > 0) this.#break(after, 'a task would not get in again');
  }

  /** Completed, refused for want of a person's word, or ended by a person's edit; never left half done. */
  #everyRotationEnded(world: World): void {
    for (const run of world.secrets.runs) {
      if (run.status === 'succeeded') continue;
      // A roll-back or a phase moves AWSCURRENT too: a rotation that begins in that very moment is abandoned.
      if (run.status === 'abandoned' && world.movesLater) continue;
      const outcome = run.attempts.at(-1)?.steps.at(-1)?.outcome;
      const refused =
        typeof outcome === 'object' && ['ConsentMissing', 'SupplyMissing'].includes(outcome?.errorType ?? '');
      if (run.status === 'resting' && refused) continue;
      // A platform that holds two keys takes no third one: such a rotation is refused until the first is over.
      if ((world.data !== null || world.database !== null) && refusedAs(outcome, 'StepRefused')) continue;
      this.#break('the end', `the rotation of ${run.token} is ${run.status}: ${JSON.stringify(outcome)}`);
    }
  }

  /** Every finished rotation has a rollout that ended; only a person's edit may make one stall. */
  #everyRolloutEnded(world: World): void {
    for (const run of world.secrets.runs) {
      if (run.kind !== 'rotation' || run.status !== 'succeeded') continue;
      const rollouts = world.rollouts.filter((rollout) => rollout.versionId === run.token);
      if (rollouts.length !== 1) this.#break('the end', `${run.token} has ${rollouts.length} rollouts`);
      const end = endOf(world, rollouts[0]);
      const replaced = world.currentDocument()?.memory?.root !== run.token && world.currentId() !== run.token;
      // This application can use no value but the first: not a later one, and not one that a person types.
      // A rollout that is cut off on its way back stalls, and the later one goes back in its place.
      const laterWentBack =
        world.rollouts.at(-1) !== rollouts[0] && world.rollouts.at(-1)?.end === 'rolled-back';
      const wentBack = world.stubborn && (end === 'rolled-back' || laterWentBack || world.edits.length > 0);
      // A second rotation goes back to where the first had come, which these consumers may not take either.
      const overtaken = world.expectedEnd !== 'completed' && world.secrets.runs.length > 2;
      const stopped = (world.edits.length > 0 || overtaken) && world.data !== null && end !== 'open';
      const asExpected = end === world.expectedEnd || stopped;
      if (end !== 'completed' && !asExpected && !wentBack && !(replaced && end === 'superseded')) {
        this.#break('the end', `the rollout of ${run.token} ended ${end}`);
      }
    }
  }

  /** Where the current version's rollout completed, no task accepts anything but its value. */
  #oldValuesAreDead(world: World): void {
    const rooted = world.currentDocument()?.memory?.root ?? world.currentId();
    const rollout = world.rollouts.find(({ versionId }) => versionId === rooted);
    if (endOf(world, rollout) !== 'completed') return;
    const current = world.currentDocument()?.value(world.variable).reveal();
    for (const value of world.applications.flatMap(({ values }) => values)) {
      if (value !== current)
        this.#break('the end', 'the rollout completed and a task still runs with another value');
    }
    for (const { id, key, status } of world.fleet.instances.values()) {
      if (key !== current || status !== 'online')
        this.#break(
          'the end',
          `the rollout completed and ${id} is ${status}, or holds a token of another key`,
        );
    }
  }

  /** Where the rollout completed, the server lets nobody in with what an earlier version holds. */
  #oldLoginsAreDead(world: World): void {
    const { database } = world;
    const rollout = world.rollouts.find(({ versionId }) => versionId === world.currentId());
    if (database === null || endOf(world, rollout) !== 'completed') return;
    for (const version of world.versions()) {
      if (version.id !== world.currentId() && database.accepts(documentOf(version)))
        this.#break('the end', `the server still takes the login of version ${version.id}`);
    }
  }

  #nothingLeaked(world: World): void {
    const sink = world.printed.join('\n');
    for (const value of [...this.#values.keys(), ...(world.database?.passwords ?? [])]) {
      const forms = [
        value,
        Buffer.from(value).toString('base64'),
        Buffer.from(value).toString('hex'),
        value.slice(4, 16),
      ];
      if (forms.some((form) => sink.includes(form))) this.#break('the end', 'a value was printed');
    }
  }

  /** One version a rotation, an edit or a supply; none that nobody asked for. */
  #noStrayVersion(world: World): void {
    const rotations = world.secrets.runs.filter((run) => run.kind === 'rotation').length;
    const phases = world.tokenLifeSeconds === null && world.data === null ? 1 : 3;
    const most = 1 + rotations * phases + world.edits.length + world.supplies;
    if (world.versions().length > most)
      this.#break('the end', `${world.versions().length} versions, at most ${most} were asked for`);
  }

  /** What a reader of the bus was promised. */
  #everyEventFitsItsTable(world: World): void {
    for (const event of world.events) {
      const flaw = flawOf(event);
      if (flaw !== null) this.#break('the end', `${event.type} does not fit its table at ${flaw}`);
    }
  }

  #break(after: string, sentence: string): void {
    this.broken.push(`after ${after}: ${sentence}`);
  }
}

/** How a rollout ended; one that was stopped from outside ended as the attempt that went on with it. */
function endOf(world: World, rollout: Rollout | undefined): RolloutEnd | 'open' {
  const end = rollout?.end ?? 'open';
  return end === 'aborted' ? (world.rollouts.at(-1)?.end ?? 'open') : end;
}

function refusedAs(outcome: unknown, errorType: string): boolean {
  return (
    typeof outcome === 'object' &&
    outcome !== null &&
    'errorType' in outcome &&
    outcome.errorType === errorType
  );
}
