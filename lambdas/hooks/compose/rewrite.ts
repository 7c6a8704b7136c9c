/**
 * The part of the host's script that touches the value, in Python: a POSIX shell could only parse the
 * document's JSON with tools that hosts may lack (jq) or unsafely; python3 is on every Amazon Linux 2023,
 * Ubuntu, Debian and RHEL. The value goes from the AWS CLI's output through this process into the file: it is
 * in no argument, variable of the shell, other file or output.
 *
 * How compose reads the file (Docker documentation, "Set environment variables", "Syntax"; compose-go,
 * dotenv): an unquoted value ends at the line and `$` in it is interpolated; single quotes are literal up to
 * the next quote; in double quotes `\\`, `\"` and `\$` stand for the second character. A value is put into
 * single quotes where that works in every release: releases differ in `\'`, and a backslash before the
 * closing quote would escape it. Other values are put into double quotes.
 *
 * Exit codes: 0 the file has the values already, 10 it was rewritten, 65 to 69 what `exitCodes` says.
 *
 * It must not hold a single quote: the shell gets it as one single-quoted argument.
 */
export const rewriteProgram = String.raw`
import json, os, re, subprocess, sys

def leave(code):
    sys.stdout.flush()
    os._exit(code)

def statements(text):
    # Yields (name, start, end) of each value: from behind the name to the end of the value.
    at, size = 0, len(text)
    while at < size:
        if text[at] in " \t\r\n\v\f":
            at += 1
            continue
        if text[at] == "#":
            at = text.find("\n", at)
            if at < 0:
                return
            continue
        begin = at
        while at < size and text[at] not in "=:\n":
            at += 1
        name = text[begin:at].strip()
        if name.startswith("export") and name[6:7] in (" ", "\t"):
            name = name[6:].strip()
        if at >= size or text[at] == "\n":
            yield name, at, at
            continue
        start = at
        at += 1
        while at < size and text[at] in " \t\v\f":
            at += 1
        if at < size and text[at] in "\"\x27":
            quote, escaped = text[at], False
            at += 1
            while at < size and (escaped or text[at] != quote):
                escaped = not escaped and text[at] == "\\"
                at += 1
            if at >= size:
                leave(67)
            at += 1
            yield name, start, at
            end = text.find("\n", at)
            at = size if end < 0 else end
        else:
            end = text.find("\n", at)
            end = size if end < 0 else end
            # A comment begins with a space before its number sign, and stays.
            comment = re.search("[ \t]+#|[ \t\r]+$", text[at:end])
            stop = at + comment.start() if comment else end
            yield name, start, stop
            at = end

def quoted(value):
    if "\x27" not in value and not value.endswith("\\"):
        return "\x27" + value + "\x27"
    for plain in "\\\"$":
        value = value.replace(plain, "\\" + plain)
    return "\"" + value + "\""

def replaced(text, values):
    parts, last, seen = [], 0, set()
    for name, start, end in statements(text):
        if name in values:
            parts += [text[last:start], "=", quoted(values[name])]
            last = end
            seen.add(name)
    parts.append(text[last:])
    whole = "".join(parts)
    for name in values:
        if name not in seen:
            newline = "" if whole == "" or whole.endswith("\n") else "\n"
            whole += newline + name + "=" + quoted(values[name]) + "\n"
    return whole

def fetched(secret, version, region):
    try:
        answer = subprocess.run(
            ["aws", "secretsmanager", "get-secret-value", "--region", region, "--secret-id", secret,
             "--version-id", version, "--output", "json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except Exception:
        leave(65)
    if answer.returncode != 0:
        leave(65)
    try:
        document = json.loads(json.loads(answer.stdout.decode("utf-8"))["SecretString"])
    except Exception:
        leave(66)
    if not isinstance(document, dict):
        leave(66)
    return document

def written(path, text, old):
    temporary = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".keyturn")
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(handle, data):]
        os.fchown(handle, old.st_uid, old.st_gid)
        # Labels of SELinux and access lists are extended attributes.
        for name in os.listxattr(path):
            try:
                os.setxattr(handle, name, os.getxattr(path, name))
            except OSError:
                pass
        os.fchmod(handle, old.st_mode & 0o7777)
        os.fsync(handle)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(handle)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)

def main():
    secret, version, region, file = sys.argv[1:5]
    names = dict(pair.split("=", 1) for pair in sys.argv[5:])
    document = fetched(secret, version, region)
    values = {}
    for name, variable in names.items():
        value = document.get(variable)
        if not isinstance(value, str) or "\0" in value:
            leave(66)
        values[name] = value
    path = os.path.realpath(file)
    try:
        with open(path, "r", encoding="utf-8", errors="surrogateescape", newline="") as opened:
            old = os.fstat(opened.fileno())
            before = opened.read()
        after = replaced(before, values)
        if after == before:
            leave(0)
        written(path, after, old)
    except OSError:
        leave(68)
    leave(10)

# A traceback could quote a value.
try:
    main()
except Exception:
    leave(69)
`;

/**
 * Reads `docker inspect` of a service's containers, whose JSON holds their environment, and prints only how
 * many there are, how many are not healthy, when the oldest started, when the youngest did, and whether all
 * are young: made after the version was published and after the file last changed, so with every value that
 * is in it. A container's environment is as old as the container, however often it was started since; and
 * nobody can set the time at which an inode changed.
 *
 * Arguments: the file, and when the version was published, in milliseconds.
 */
export const inspectProgram = `
import calendar, json, os, sys, time

def nanoseconds(text):
    if not text.endswith("Z"):
        return 0
    fraction = (text[19:-1].lstrip(".") + "000000000")[:9]
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction)

try:
    containers = json.load(sys.stdin)
    states = [container["State"] for container in containers]
    started = sorted(state["StartedAt"] for state in states)
    bad = [state for state in states if state["Status"] != "running"
           or (state.get("Health") or {}).get("Status", "healthy") not in ("healthy", "none", "")]
    young = 0
    if states and not bad:
        since = max(os.stat(sys.argv[1]).st_ctime_ns, int(sys.argv[2]) * 10**6)
        young = int(all(nanoseconds(container["Created"]) > since for container in containers))
    print(len(states), len(bad), started[0] if started else "-", started[-1] if started else "-", young)
except Exception:
    print(0, 0, "-", "-", 0)
`;

/** Waits for the lock that descriptor 9 of the shell holds on the directory. */
export const lockProgram = `
import fcntl, sys, time
end = time.time() + int(sys.argv[1])
while True:
    try:
        fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except OSError:
        if time.time() > end:
            sys.exit(1)
        time.sleep(0.2)
`;
