"""What a bundle holds, by length and hash: written when it is packed, looked at where it is used."""
import hashlib
import json
import sys

MOST_BYTES = 40 << 20
NAME, ARCHIVE = "manifest.json", "programs.tar.xz"


class Refused(Exception):
    """Asked for what cannot be."""


def files_in(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path != folder / NAME]
    return sorted(str(path.relative_to(folder)) for path in paths)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def seal(folder, revision):
    """Writes the manifest and weighs the bundle."""
    kept = {"revision": revision,
            "files": {name: {"bytes": (folder / name).stat().st_size, "sha256": digest(folder / name)}
                      for name in files_in(folder)}}
    (folder / NAME).write_text(json.dumps(kept, indent=1) + "\n")
    weight = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print("gpu-check: %s: %d files, %.1f MiB of at most %d, revision %s" % (
        folder, len(kept["files"]), weight / (1 << 20), MOST_BYTES >> 20, kept["revision"]))
    if weight > MOST_BYTES:
        print("gpu-check: too large by %d bytes" % (weight - MOST_BYTES), file=sys.stderr)
        return 1
    return 0


def read(folder):
    """That of a bundle, or None where the folder is none."""
    path = folder / NAME
    return json.loads(path.read_text()) if path.exists() else None


def differing(folder, kept):
    """Files that are not as the manifest says."""
    return [name for name, file in kept["files"].items()
            if not (folder / name).exists() or digest(folder / name) != file["sha256"]]
