"""Where a secret is to be found: in files, in the memory of processes, in what was recorded."""
import base64
import os
import pathlib
import re


def spellings(secret):
    """The bytes, and how JSON and people's tools would write them."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        # Base64 of what holds the secret anywhere: without the digits that its neighbours decide.
        text = base64.b64encode(b"\0" * shift + secret)
        inner = text[(0, 2, 3)[shift]:len(text) // 4 * 4 - 4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return re.compile(b"|".join(re.escape(one) for one in found))


def files_with(pattern, root):
    """Files below `root`."""
    found = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = pathlib.Path(directory, name)
            try:
                if path.is_file() and pattern.search(path.read_bytes()):
                    found.append(str(path))
            except FileNotFoundError:
                pass  # Gone meanwhile.
    return found


def memory(pid):
    """All that a process has in memory, region by region."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        regions = [line.split(maxsplit=5) for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for region in regions:
            if not region[1].startswith("r") or region[-1].strip() in ("[vvar]", "[vsyscall]"):
                continue
            start, end = (int(text, 16) for text in region[0].split("-"))
            at = start
            while at < end:
                # A piece of a region may be gone, or be a file's that was cut. Pieces overlap.
                try:
                    mem.seek(at)
                    piece = mem.read(min(end - at, (4 << 20) + 4096))
                except (OSError, ValueError, OverflowError):
                    piece = b""
                if piece:
                    yield piece
                at += 4 << 20


def in_memory(pattern, pid):
    read = 0
    for piece in memory(pid):
        read += len(piece)
        if pattern.search(piece):
            return True
    # A process of ours has megabytes: who reads less has not looked.
    if read < 1 << 20:
        raise AssertionError(f"read {read} bytes of process {pid} only")
    return False
