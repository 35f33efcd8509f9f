"""Opening an extract that is a file, plain or gzipped, with one sentence when it cannot be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from smsengine.errors import SourceError

_GZIP_MAGIC = b"\x1f\x8b"

#: What reading bytes can raise: the disk, or a gzip stream that is cut or damaged.
ReadErrors = (OSError, EOFError, zlib.error)


@contextmanager
def open_extract(path: Path, name: str) -> Iterator[BinaryIO]:
    """Give the bytes of a file, unpacked when it is gzipped.

    Raises:
        SourceError: it is missing, a folder, not ours to read, empty, or its gzip stream is broken.
    """
    try:
        with path.open("rb") as stream:
            yield _unpacked(stream, name)
    except FileNotFoundError as error:
        raise SourceError(f"{name}: there is no such file; check the path.") from error
    except IsADirectoryError as error:
        raise SourceError(f"{name}: this is a folder; name a file in it.") from error
    except PermissionError as error:
        raise SourceError(f"{name}: this file may not be read; check its permissions.") from error
    except ReadErrors as error:
        raise SourceError(f"{name}: reading broke off ({error}); copy the file again.") from error


def _unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    magic = stream.read(2)
    stream.seek(0)
    if not magic:
        raise SourceError(f"{name}: the file is empty; export it again.")
    return io.BufferedReader(gzip.GzipFile(fileobj=stream)) if magic == _GZIP_MAGIC else stream
