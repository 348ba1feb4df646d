"""Seeded damages to the files of a results directory, as disks, copies and people make them."""

import shutil

KINDS = ("flip", "zero", "truncate", "delete", "folder", "duplicate", "stranger", "empty")


def damage(path, kind, rng, stranger=None):
    """Damage one file. ``stranger``: the file of another study in its place."""
    data = path.read_bytes()
    begin = rng.randrange(len(data)) if data else 0
    if kind == "flip" and data:
        path.write_bytes(data[:begin] + bytes([data[begin] ^ (1 << rng.randrange(8))]) + data[begin + 1 :])
    elif kind == "zero":
        end = min(len(data), begin + rng.randrange(1, 200))
        path.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    elif kind == "truncate":
        path.write_bytes(data[:begin])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "delete":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "duplicate":
        shutil.copy(path, path.with_name(f"{path.stem} (1){path.suffix}"))
    elif kind == "stranger" and stranger is not None:
        shutil.copy(stranger, path)
