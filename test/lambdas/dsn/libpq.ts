/** libpq's own parser (PQconninfoParse), asked through Python's ctypes: strings go in on standard input. */
import { spawnSync } from 'node:child_process';

const program = `
import ctypes, ctypes.util, json, sys
pq = ctypes.CDLL(ctypes.util.find_library('pq') or 'libpq.so.5')
class Option(ctypes.Structure):
    _fields_ = [(n, ctypes.c_char_p) for n in ('keyword', 'envvar', 'compiled', 'val', 'label', 'dispchar')] + [('dispsize', ctypes.c_int)]
pq.PQconninfoParse.restype = ctypes.POINTER(Option)
pq.PQconninfoParse.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
pq.PQconninfoFree.argtypes = [ctypes.POINTER(Option)]
answers = []
for text in json.load(sys.stdin):
    options = pq.PQconninfoParse(text.encode(), None)
    if not options:
        answers.append(None)
        continue
    found, at = {}, 0
    while options[at].keyword:
        if options[at].val is not None:
            found[options[at].keyword.decode()] = options[at].val.decode()
        at += 1
    pq.PQconninfoFree(options)
    answers.append(found)
json.dump(answers, sys.stdout)
`;

type Answer = Readonly<Record<string, string>> | null;

/** What libpq reads; null for a string that it refuses. Null instead of a list: there is no libpq on this machine. */
export function readByLibpq(texts: readonly string[]): readonly Answer[] | null {
  const run = spawnSync('python3', ['-c', program], {
    input: JSON.stringify(texts),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return run.status === 0 ? (JSON.parse(run.stdout) as readonly Answer[]) : null;
}

/** False: the tests that need it are skipped, by name. */
export const libpqIsHere = readByLibpq(['host=x']) !== null;
