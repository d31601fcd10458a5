"""What runs on this machine, as Linux tells it: which processes, and where they listen."""

from __future__ import annotations

import ipaddress
import os
import struct
from pathlib import Path

LISTENING = "0A"


def processes_of(folder: Path, marker: str) -> dict[int, str]:
    """Return the processes of a cluster, with their commands.

    They name its folder in their command, work in it, or have inherited the marker.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((entry / "cwd").readlink())
            inherited = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command or place.startswith(str(folder)) or marker in inherited:
            found[int(entry.name)] = command
    return found


def environment_of(process: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    words = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def listening_at(process: int) -> set[str]:
    """Return the addresses at which a process listens."""
    sockets = set()
    for handle in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    return {
        _address(words[1].partition(":")[0])
        for name in ("tcp", "tcp6")
        for words in map(str.split, Path(f"/proc/net/{name}").read_text().splitlines()[1:])
        if words[3] == LISTENING and words[9] in sockets
    }


def _address(text: str) -> str:
    """Read an address as the kernel writes it: hexadecimal words in the machine's own order."""
    words = [int(text[place : place + 8], 16) for place in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
