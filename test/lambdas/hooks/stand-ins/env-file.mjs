/** The file as compose reads it (Docker documentation, "Set environment variables", "Syntax"). */
export function readEnvironment(text) {
  const found = {};
  let rest = text;
  for (;;) {
    rest = rest.replace(/^(\s+|#[^\n]*(\n|$))+/, '');
    if (rest === '') return found;
    const key = /^(?:export[ \t]+)?([A-Za-z0-9_.-]+)[ \t]*(?:([=:])[ \t]*|(?=\r?\n|$))/.exec(rest);
    if (key === null) throw new Error('unexpected character in variable name');
    rest = rest.slice(key[0].length);
    if (key[2] === undefined) continue;
    const quote = /^["']/.exec(rest)?.[0];
    if (quote === undefined) {
      const line = /^[^\n]*/.exec(rest)[0];
      rest = rest.slice(line.length);
      found[key[1]] = interpolated(line.replace(/\s+#.*$/, '').trim(), found);
      continue;
    }
    let [value, at] = ['', 1];
    for (; rest[at] !== quote; at += 1) {
      if (at >= rest.length) throw new Error('unterminated quoted value');
      if (rest[at] === '\\') {
        // Only an escaped quote loses its backslash here.
        if (rest[at + 1] !== quote) value += '\\';
        at += 1;
      }
      value += rest[at];
    }
    rest = rest.slice(at + 1);
    found[key[1]] = quote === "'" ? value : interpolated(unescaped(value), found);
  }
}

/** `$$` is a literal dollar sign for the interpolation that follows. */
function unescaped(value) {
  const known = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"', $: '$$' };
  return value.replace(/\\([nrt\\"$])/g, (_whole, char) => known[char]);
}

function interpolated(value, known) {
  return value.replace(/\$(?:(\$)|\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (_whole, literal, braced, bare) =>
    literal ? '$' : (known[braced ?? bare] ?? ''),
  );
}
