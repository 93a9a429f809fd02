"""Learned models as bytes: safetensors with a header that names the detector and sums up the arrays.

In: a model, or bytes that claim to be one. Out: bytes, or the model, which then scores as before.
Refused: bytes of another format, of an unknown detector or version, or whose checksum is wrong. Nothing
in an artefact is ever run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from alertsite.core.errors import PlatformError
from ml.detectors.protocol import Arrays, Detector, Model

FORMAT: Final = "alertsite-model"
VERSION: Final = 1
MAX_BYTES: Final = 256 * 2**20
_LENGTH_BYTES: Final = 8


class CorruptArtefact(PlatformError):
    """The bytes are no model of ours, or no longer what was saved."""

    code = "ml.corrupt_artefact"


@dataclass(frozen=True, slots=True)
class Artefact:
    """What an artefact holds: the detector's name, free text about its training, the arrays."""

    detector: str
    notes: Mapping[str, str]
    arrays: Arrays


def checksum(detector: str, notes: Mapping[str, str], arrays: Arrays) -> str:
    """SHA-256 over the name, the notes, and every array with its name, type and shape."""
    digest = sha256(json.dumps([detector, sorted(notes.items())]).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def pack(detector: str, arrays: Arrays, notes: Mapping[str, str] | None = None) -> bytes:
    """Arrays as an artefact."""
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    notes = dict(notes or {})
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "detector": detector,
        "notes": json.dumps(notes, sort_keys=True),
        "sha256": checksum(detector, notes, contiguous),
    }
    return save(contiguous, metadata=header)


def unpack(data: bytes) -> Artefact:
    """An artefact's contents, verified.

    Raises
    ------
    CorruptArtefact
        If the bytes are of another format or version, or the checksum is not that of the contents.
    """
    if len(data) > MAX_BYTES:
        raise CorruptArtefact(f"artefact has {len(data)} bytes, limit {MAX_BYTES}")
    header = _header(data)
    if header.get("format") != FORMAT:
        raise CorruptArtefact(f"artefact has the format {header.get('format')!r}, expected {FORMAT!r}")
    if header.get("version") != str(VERSION):
        raise CorruptArtefact(f"artefact has the version {header.get('version')!r}, expected {VERSION}")
    try:
        arrays = dict(load(data))
        notes = json.loads(header["notes"])
        detector = header["detector"]
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptArtefact(f"artefact cannot be read: {error}") from None
    found = checksum(detector, notes, arrays)
    if found != header.get("sha256"):
        raise CorruptArtefact(f"artefact has the checksum {found}, its header says {header.get('sha256')!r}")
    return Artefact(detector, notes, arrays)


def _header(data: bytes) -> dict[str, str]:
    """The metadata of safetensors bytes: a length, then JSON of which one member is ours."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if len(data) < _LENGTH_BYTES or length > len(data) - _LENGTH_BYTES:
        raise CorruptArtefact(f"artefact of {len(data)} bytes claims a header of {length}")
    try:
        parsed = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    except ValueError:
        raise CorruptArtefact("artefact has no readable header") from None
    header = parsed.get("__metadata__") if isinstance(parsed, dict) else None
    if not isinstance(header, dict):
        raise CorruptArtefact("artefact has no metadata, so it was not written here")
    return header


def save_model(model: Model, notes: Mapping[str, str] | None = None) -> bytes:
    """A model as an artefact; `notes` tell its training span, version and measured quality."""
    return pack(model.detector, model.to_arrays(), notes)


def load_model(data: bytes, detectors: Mapping[str, Detector]) -> Model:
    """The model in an artefact.

    Raises
    ------
    CorruptArtefact
        If the bytes are no artefact, or of a detector that is not among `detectors`.
    """
    artefact = unpack(data)
    detector = detectors.get(artefact.detector)
    if detector is None:
        raise CorruptArtefact(f"artefact is of the detector {artefact.detector!r}, unknown here")
    try:
        return detector.restore(artefact.arrays)
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise CorruptArtefact(f"artefact does not hold a {artefact.detector} model: {error}") from None
