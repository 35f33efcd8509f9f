"""A command that a shell types: forked where all that it imports is loaded, on the shell's streams.

As a program: ``python -I -S lent.py DOOR WORD…``, ``DOOR`` being the socket of ``victims.py``. It
ends as the command does.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(door: str, *words: str) -> int:
    """Lend the streams, wait for the end, and give its code as a shell counts it."""
    typed = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.connect(door)
        socket.send_fds(line, [json.dumps(typed).encode()], [0, 1, 2])
        code = int(line.recv(16))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
