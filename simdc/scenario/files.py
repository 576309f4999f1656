"""The files that a scenario names, and what tells whether they have changed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["files_named", "hashes"]


def files_named(document: object) -> Iterator[str]:
    """Names of files in a scenario as TOML holds it: what stands under a key that ends in ``file``.

    Parameters
    ----------
    document : mapping or list
        The whole scenario, or a table of it.
    """
    if isinstance(document, list):
        for below in document:
            yield from files_named(below)
    elif isinstance(document, dict):
        for key, below in document.items():
            if isinstance(below, str) and (key == "file" or key.endswith("_file")):
                yield below
            else:
                yield from files_named(below)


def hashes(names: Iterable[str], base_dir: Path) -> dict[str, str]:
    """SHA-256 of the content of files, in hexadecimal; what cannot be read is left out.

    Parameters
    ----------
    names : iterable of str
    base_dir : Path
        Folder that they are relative to.
    """
    found = {}
    for name in sorted(set(names)):
        with contextlib.suppress(OSError), (base_dir / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
