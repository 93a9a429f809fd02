"""Where artefacts lie: in the row of their version, or as files below `ML_MODEL_PATH` when that is set.

In: a version's place and bytes. Out: bytes. Refused: files that are missing; whoever reads checks the
checksum. A version that was saved one way is read that way, whatever the setting says today.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings

from ml.detectors.artefacts import CorruptArtefact


def put_away(tenant_id: UUID, group_id: UUID, checksum: str, data: bytes) -> bytes:
    """Write the file where files are wanted. What the row is to hold: nothing then, else the bytes."""
    if not settings.ML_MODEL_PATH:
        return data
    path = _path(tenant_id, group_id, checksum)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
    return b""


def fetch(tenant_id: UUID, group_id: UUID, checksum: str) -> bytes:
    """The file of a version whose row holds nothing.

    Raises
    ------
    CorruptArtefact
        If it is not there.
    """
    try:
        return _path(tenant_id, group_id, checksum).read_bytes()
    except OSError as error:
        raise CorruptArtefact(f"artefact {checksum} cannot be read: {error.strerror}") from None


def remove_artefact(tenant_id: UUID, group_id: UUID, checksum: str) -> None:
    """Remove the file of a version that is gone, if it had one."""
    if settings.ML_MODEL_PATH:
        _path(tenant_id, group_id, checksum).unlink(missing_ok=True)


def remove_files(tenant_id: UUID, group_id: UUID) -> None:
    """Remove the files of a group that is gone."""
    if settings.ML_MODEL_PATH:
        shutil.rmtree(_path(tenant_id, group_id, "").parent, ignore_errors=True)


def _path(tenant_id: UUID, group_id: UUID, checksum: str) -> Path:
    return Path(settings.ML_MODEL_PATH) / str(tenant_id) / str(group_id) / f"{checksum}.safetensors"
