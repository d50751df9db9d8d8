"""Verifies a transparency log with Python's standard library alone: it shares no code with what wrote it.

    verify_record.py POLICY FOLDER|URL        a whole record
    verify_record.py POLICY FILE.tlog-proof   one entry's receipt

Written from RFC 6962, RFC 8032 and the C2SP documents tlog-tiles, tlog-checkpoint, signed-note, tlog-cosignature,
tlog-policy and tlog-proof. Prints what it found, a line each; exit code 0 when everything holds, 1 when something
does not. What the entries say is not its business.
"""

import base64
import hashlib
import pathlib
import sys
import urllib.error
import urllib.request


class Wrong(Exception):
    """Something does not hold."""


def need(holds, why):
    if not holds:
        raise Wrong(why)


# RFC 8032: Ed25519, verification only. A point is (X, Y, Z, T) with x = X/Z, y = Y/Z and xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def x_of(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def point(data):
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = x_of(y, sign) if y < P else None
    return None if x is None else (x, y, 1, x * y % P)


def add(one, other):
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, base):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, base)
        base = add(base, base)
        number >>= 1
    return result


def same(one, other):
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_holds(public, message, signature):
    if len(signature) != 64:
        return False
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    return same(times(s, BASE), add(r, times(int.from_bytes(digest, "little") % ORDER, a)))


# RFC 6962: hashes, roots and proofs.


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes):
    """MTH over hashes of one level, as the recursion of RFC 6962 has it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


def included(leaf, index, size, proof, root):
    """Folds a proof by the recursion of RFC 6962, section 2.1.1, backwards from its end."""
    def path(index, size, proof):
        if size == 1:
            need(not proof, "the proof is too long")
            return leaf
        need(proof, "the proof is too short")
        split = 1 << (size - 1).bit_length() - 1
        if index < split:
            return node_hash(path(index, split, proof[:-1]), proof[-1])
        return node_hash(proof[-1], path(index - split, size - split, proof[:-1]))

    need(index < size, "the index is not below the size")
    need(path(index, size, proof) == root, "the proof leads to another root")


# C2SP: decimal numbers, signed notes, checkpoints, policies.


def decimal(text):
    need(text.isascii() and text.isdigit() and (text == "0" or text[0] != "0"), f"no decimal number: {text!r}")
    return int(text)


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "another spelling of Base 64")
    return data


class Key:
    def __init__(self, vkey):
        self.name, key_id, material = vkey.split("+", 2)
        material = unbase64(material)
        self.kind, self.public = material[0], material[1:]
        need(len(self.public) == 32 and self.kind in (1, 4), f"not an Ed25519 key: {vkey}")
        self.id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        need(self.id.hex() == key_id, f"the key id does not belong to the key: {vkey}")

    def signed(self, text, signature):
        if self.kind == 1:
            return ed25519_holds(self.public, text.encode(), signature)
        seconds = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {seconds}\n{text}"
        return seconds < 2**63 and ed25519_holds(self.public, message.encode(), signature[8:])


class Policy:
    def __init__(self, text):
        self.logs, self.members, self.witnesses, self.quorum = [], {}, {}, None
        for line in text.split("\n"):
            words = line.replace("\t", " ").split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log":
                self.logs.append(Key(words[1]))
            elif words[0] == "witness":
                self.witnesses[words[1]] = Key(words[2])
            elif words[0] == "group":
                count = {"all": len(words) - 3, "any": 1}.get(words[2])
                self.members[words[1]] = (count or decimal(words[2]), words[3:])
            else:
                need(words[0] == "quorum" and self.quorum is None, f"no line of a policy: {line}")
                self.quorum = words[1]
        need(self.quorum, "a policy without a quorum")

    def accept(self, note):
        """The checkpoint in a note that the policy accepts: origin, size, root."""
        text, signatures = split_note(note)
        lines = text.split("\n")
        origin, size, root = lines[0], decimal(lines[1]), unbase64(lines[2])
        need(origin and len(root) == 32 and lines[-1] == "" and all(lines[3:-1]), "no checkpoint")
        signers = []
        for key in self.logs + list(self.witnesses.values()):
            mine = [data for name, data in signatures if name == key.name and data[:4] == key.id]
            need(all(key.signed(text, data[4:]) for data in mine), f"the signature of {key.name} does not hold")
            if mine:
                signers.append(key)
        need(any(key.name == origin for key in self.logs if key in signers), f"{origin} has not signed")
        need(self.quorum == "none" or self.holds(self.quorum, signers), f"the quorum {self.quorum} is not reached")
        return origin, size, root, [key.name for key in signers]

    def holds(self, name, signers):
        if name in self.witnesses:
            return self.witnesses[name] in signers
        count, members = self.members[name]
        return sum(self.holds(member, signers) for member in members) >= count


def split_note(note):
    need(not any(ord(c) < 32 and c != "\n" for c in note), "a note with control characters")
    text, _, lines = note.rpartition("\n\n")
    need(text and lines.endswith("\n"), "no signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, name, data = line.split(" ")
        need(dash == "\u2014", "no signature line")
        signatures.append((name, unbase64(data)))
    return text + "\n", signatures


# C2SP: tlog-tiles.


def tile_path(kind, index, width):
    digits = f"{index:0{-(-len(str(index)) // 3) * 3}d}"
    groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    path = f"tile/{kind}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
    return path if width == 256 else f"{path}.p/{width}"


class Log:
    def __init__(self, where):
        self.where = where

    def get(self, path):
        if self.where.startswith(("http://", "https://")):
            try:
                with urllib.request.urlopen(f"{self.where.rstrip('/')}/{path}", timeout=30) as answer:
                    media = "text/plain; charset=utf-8" if path == "checkpoint" else "application/octet-stream"
                    need(answer.headers["Content-Type"] == media, f"{path}: {answer.headers['Content-Type']}")
                    return answer.read()
            except urllib.error.HTTPError as error:
                need(error.code == 404, f"{path}: {error}")
                return None
        file = pathlib.Path(self.where, path)
        return file.read_bytes() if file.is_file() else None

    def tile(self, kind, index, width):
        """A tile, or the beginning of the full one where the incomplete one is gone."""
        for wide in (width, 256):
            data = self.get(tile_path(kind, index, wide))
            if data is not None:
                return data
        raise Wrong(f"{tile_path(kind, index, width)} is missing")


def parts(level_size):
    """Index and width of every tile of a level that has so many hashes."""
    return [(at // 256, min(256, level_size - at)) for at in range(0, level_size, 256)]


def entries_of(data, width):
    entries, at = [], 0
    for _ in range(width):
        length = int.from_bytes(data[at:at + 2], "big")
        entry = data[at + 2:at + 2 + length]
        need(len(entry) == length and at + 2 <= len(data), "a torn bundle")
        entries.append(entry)
        at += 2 + length
    return entries


def verify_record(policy, where):
    log = Log(where)
    note = log.get("checkpoint")
    need(note is not None, "there is no checkpoint")
    origin, size, root, signers = policy.accept(note.decode())
    row = []
    for index, width in parts(size):
        row += [leaf_hash(entry) for entry in entries_of(log.tile("entries", index, width), width)]
    level = 0
    while row:
        for index, width in parts(len(row)):
            computed = b"".join(row[index * 256:index * 256 + width])
            path = tile_path(level, index, width)
            need(log.tile(level, index, width)[:32 * width] == computed, f"{path} is not what the entries hash to")
        # What is left over at the right edge stays in the levels below.
        above = [root_of(row[at:at + 256]) for at in range(0, len(row) - len(row) % 256, 256)]
        if level == 0:
            leaves = row
        row, level = above, level + 1
    computed = root_of(leaves) if size else root_of([])
    need(computed == root, "the checkpoint states another root than that of the entries")
    print(f"whole {origin} {size} {root.hex()}")
    print(f"signed {' '.join(signers)}")


def verify_receipt(policy, text):
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "no proof")
    need(lines[0].startswith("extra "), "the receipt carries no entry")
    entry = unbase64(lines.pop(0)[len("extra "):])
    need(lines[0].startswith("index "), "no index")
    index = decimal(lines.pop(0)[len("index "):])
    proof = [unbase64(line) for line in lines]
    origin, size, root, signers = policy.accept(note)
    included(leaf_hash(entry), index, size, proof, root)
    print(f"proved {origin} {index} {size} {root.hex()}")
    print(f"signed {' '.join(signers)}")
    print(entry.decode())


def main():
    try:
        policy = Policy(pathlib.Path(sys.argv[1]).read_text())
        where = sys.argv[2]
        if where.endswith(".tlog-proof"):
            verify_receipt(policy, pathlib.Path(where).read_text())
        else:
            verify_record(policy, where)
    except (Wrong, ValueError) as wrong:
        print(f"wrong: {wrong}")
        sys.exit(1)


if __name__ == "__main__":
    main()
