import { describe, expect, it } from 'vitest';
import { type Paint, paintFor } from '../../lib/rehearsal/paint.ts';
import { broken, type Report, type ReportSecret, serialised } from '../../lib/rehearsal/report.ts';
import { ending, legend, ruleLines, table } from '../../lib/rehearsal/table.ts';
import { timeline } from '../../lib/rehearsal/timeline.ts';

const jwt: ReportSecret = {
  platform: 'exo',
  secret: 'EXO_JWT_SECRET',
  class: 'signing-key-cutover',
  scenario: 'rotate',
  expected: 'completed',
  outcome: 'completed',
  stages: [
    { name: 'create', seconds: 0.5 },
    { name: 'finish', seconds: 0.5 },
    { name: 'redeploy', seconds: 3 },
    { name: 'complete', seconds: 0 },
  ],
  secretsManagerCalls: 8,
  requests: { total: 412, failed: 0 },
  rowsReencrypted: null,
  rowsLeft: null,
  oldValueRefused: true,
  gapSeconds: 0.12,
  statements: null,
  logins: null,
};

const stalled: ReportSecret = {
  ...jwt,
  platform: 'ocore',
  secret: 'HEALTH_CHECK_TOKEN',
  class: 'opaque-token',
  outcome: 'stalled',
  stages: [],
  secretsManagerCalls: null,
  requests: { total: 17, failed: 2 },
  oldValueRefused: null,
  gapSeconds: null,
};

const report: Report = {
  seed: 7,
  seconds: 31.25,
  secrets: [jwt, stalled],
  rules: [
    { id: 3, held: true, evidence: '1 of 1 probed and refused' },
    { id: 6, held: false, evidence: '1 task of ocore restarted' },
  ],
};

/** Marks what is painted, so that a test sees it. */
const painted: Paint = (meaning, text) => `<${meaning}:${text.trim()}>`;

describe('the table', () => {
  it('aligns its columns and leaves out those that apply to no row', () => {
    expect(table([jwt, stalled])).toBe(`\
platform  secret              scenario  outcome      s  calls  failed   gap  old value
exo       EXO_JWT_SECRET      rotate    completed  4.0      8   0/412  0.12  refused
ocore     HEALTH_CHECK_TOKEN  rotate    stalled!   0.0      -    2/17     -  -
`);
  });

  it('shows a column that applies to one row, and a dash in the others', () => {
    expect(table([jwt, { ...jwt, scenario: 'sweep', rowsReencrypted: 1200, rowsLeft: 3 }])).toBe(`\
platform  secret          scenario  outcome      s  calls  failed   gap  rows  left  old value
exo       EXO_JWT_SECRET  rotate    completed  4.0      8   0/412  0.12     -     -  refused
exo       EXO_JWT_SECRET  sweep     completed  4.0      8   0/412  0.12  1200     3  refused
`);
  });

  it('says below it what the headings of its numbers mean, and of no column that it leaves out', () => {
    const login = { failed: 1, total: 2, inGap: 3 };
    const all = { ...jwt, rowsReencrypted: 1, rowsLeft: 0, statements: login, logins: login };
    expect(legend([jwt])).toBe(`\
s: seconds; calls: of the rotation to Secrets Manager; failed: requests of clients, of all
gap: longest time for which a client’s value did not work, in seconds
`);
    const lines = legend([all]).trimEnd().split('\n');
    expect(lines.join('; ').match(/(^|; )[\w ]+: /g)).toHaveLength(9);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(110);
    expect(legend([])).toBe('');
  });

  it('narrows the widest texts until its lines have 110 characters', () => {
    const wide = {
      ...jwt,
      secret: 'S'.repeat(60),
      scenario: 'a second RotateSecret while the consumers restart',
    };
    const [heading = '', row = ''] = table([wide]).split('\n');
    expect(heading.length).toBe(110);
    expect(row).toMatch(/^exo {7}S+… {2}a second Rotate[^…]*… {2}completed {2}4\.0 /);
  });

  it('gives colour to what is good and what is bad', () => {
    expect(table([jwt], painted).split('\n')[1]).toBe(
      'exo       EXO_JWT_SECRET  rotate    <good:completed>  4.0      8  <good:0/412>  0.12  <good:refused>',
    );
    expect(table([stalled], painted).split('\n')[1]).toContain('<bad:stalled!>  0.0  <bad:2/17>');
  });

  it('does not call it good when nothing was asked', () => {
    expect(table([{ ...jwt, requests: { total: 0, failed: 0 } }], painted)).toContain('<bad:0/0>');
  });
});

describe('the timeline', () => {
  it('draws each stage at its place and length', () => {
    const bar = (before: number, length: number) => `${' '.repeat(before)}${'█'.repeat(length)}`.padEnd(90);
    expect(timeline(jwt)).toBe(
      [
        'exo EXO_JWT_SECRET (signing-key-cutover), rotate: completed after 4.00 s',
        `  create    ${bar(0, 11)}  0.50 s`,
        `  finish    ${bar(11, 12)}  0.50 s`,
        `  redeploy  ${bar(23, 67)}  3.00 s`,
        `  complete  ${bar(89, 1)}  0.00 s`,
        '',
      ].join('\n'),
    );
  });

  it('is at most 110 characters wide, and its heading alone without stages', () => {
    for (const line of timeline(jwt).split('\n')) expect(line.length).toBeLessThanOrEqual(110);
    expect(timeline(stalled)).toBe('ocore HEALTH_CHECK_TOKEN (opaque-token), rotate: stalled after 0.00 s\n');
  });

  it('draws stages that took no time at all', () => {
    const instant = {
      ...jwt,
      stages: [
        { name: 'create', seconds: 0 },
        { name: 'set', seconds: 0.004 },
      ],
    };
    const [, create = '', set = ''] = timeline({ ...instant, stages: instant.stages.slice(0, 1) }).split(
      '\n',
    );
    expect(create).toMatch(/^ {2}create {2}█ +0\.00 s$/);
    expect(set).toBe('');
    expect(timeline(instant)).toContain('<0.01 s');
  });
});

describe('the lines of the rules', () => {
  it('say number, verdict, rule and evidence', () => {
    expect(ruleLines(report.rules)).toBe(`\
rule 3  held   after completion the old value is dead  1 of 1 probed and refused
rule 6  broke  a failed rotation changes no consumer   1 task of ocore restarted
`);
  });
});

describe('the ending', () => {
  it('is table, drawings, rules and the seed', () => {
    expect(ending({ ...report, secrets: [jwt] }, 'a drawing\n')).toBe(`\
platform  secret          scenario  outcome      s  calls  failed   gap  old value
exo       EXO_JWT_SECRET  rotate    completed  4.0      8   0/412  0.12  refused

s: seconds; calls: of the rotation to Secrets Manager; failed: requests of clients, of all
gap: longest time for which a client’s value did not work, in seconds

a drawing

rule 3  held   after completion the old value is dead  1 of 1 probed and refused
rule 6  broke  a failed rotation changes no consumer   1 task of ocore restarted

31.3 s, seed 7
`);
  });
});

describe('the report', () => {
  it('names each thing that went wrong', () => {
    expect(broken(report)).toEqual([
      'ocore HEALTH_CHECK_TOKEN (rotate) ended stalled; expected was completed.',
      'Rule 6 (a failed rotation changes no consumer) broke: 1 task of ocore restarted.',
    ]);
  });

  it('does not pass when nothing was rotated', () => {
    expect(broken({ ...report, secrets: [], rules: [] })).toEqual(['No secret was rotated.']);
  });

  it('takes a failure that was expected for what it is', () => {
    expect(broken({ ...report, secrets: [{ ...stalled, expected: 'stalled' }], rules: [] })).toEqual([]);
  });

  it('is written with exactly its members', () => {
    const carrying = {
      ...jwt,
      stages: [{ name: 'create', seconds: 0.5, value: 'a secret' }],
      value: 'a secret',
    };
    expect(serialised({ ...report, secrets: [carrying], rules: report.rules.slice(0, 1) })).toBe(`\
{
  "seed": 7,
  "seconds": 31.25,
  "secrets": [
    {
      "platform": "exo",
      "secret": "EXO_JWT_SECRET",
      "class": "signing-key-cutover",
      "scenario": "rotate",
      "expected": "completed",
      "outcome": "completed",
      "stages": [
        {
          "name": "create",
          "seconds": 0.5
        }
      ],
      "secretsManagerCalls": 8,
      "requests": {
        "total": 412,
        "failed": 0
      },
      "rowsReencrypted": null,
      "rowsLeft": null,
      "oldValueRefused": true,
      "gapSeconds": 0.12,
      "statements": null,
      "logins": null
    }
  ],
  "rules": [
    {
      "id": 3,
      "held": true,
      "evidence": "1 of 1 probed and refused"
    }
  ]
}
`);
  });
});

describe('colours', () => {
  const green = '\u001b[32mfine\u001b[39m';
  it.each([
    ['are on a terminal', { isTTY: true }, {}, green],
    ['are not in a pipe', {}, {}, 'fine'],
    ['are not where NO_COLOR asks for none', { isTTY: true }, { NO_COLOR: '1' }, 'fine'],
    ['are where NO_COLOR is blank', { isTTY: true }, { NO_COLOR: '' }, green],
  ])('%s', (_what, stream, environment, expected) => {
    expect(paintFor(stream, environment)('good', 'fine')).toBe(expected);
  });
});
