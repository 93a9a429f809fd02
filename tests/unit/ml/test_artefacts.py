"""Artefacts: what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from ml.detectors.artefacts import CorruptArtefact, load_model, pack, unpack
from ml.detectors.registry import DETECTORS

ARRAYS = {"level": np.array([1.0, 2.0]), "half_width": np.array([1.0, 1.0])}


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def test_notes_and_arrays_come_back():
    artefact = unpack(pack("robust_zscore", ARRAYS | {"gain": np.array(0.5)}, {"span": "7d"}))

    assert artefact.detector == "robust_zscore"
    assert artefact.notes == {"span": "7d"}
    assert artefact.arrays["gain"].shape == ()
    np.testing.assert_array_equal(artefact.arrays["level"], ARRAYS["level"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "claims a header", id="empty"),
        pytest.param(b"\x80\x04K\x01.", "claims a header", id="a pickle"),
        pytest.param(b"\xff" * 64, "claims a header", id="noise"),
        pytest.param(flipped(pack("robust_zscore", ARRAYS)), "checksum", id="one bit turned"),
        pytest.param(pack("robust_zscore", ARRAYS)[:-8], "cannot be read", id="cut off"),
        pytest.param(save(ARRAYS), "no metadata", id="safetensors of another program"),
        pytest.param(save(ARRAYS, metadata={"format": "other"}), "format 'other'", id="another format"),
        pytest.param(
            save(ARRAYS, metadata={"format": "alertsite-model", "version": "9"}), "version '9'", id="newer"
        ),
    ],
)
def test_foreign_bytes_are_refused(data, says):
    with pytest.raises(CorruptArtefact, match=says):
        unpack(data)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        pytest.param("unheard_of", ARRAYS, id="unknown detector"),
        pytest.param("robust_zscore", {"level": ARRAYS["level"]}, id="an array is absent"),
        pytest.param("robust_zscore", ARRAYS | {"more": np.zeros(1)}, id="an array too many"),
    ],
)
def test_artefacts_of_no_model_are_refused(name, arrays):
    with pytest.raises(CorruptArtefact, match=name):
        load_model(pack(name, arrays), DETECTORS)


def test_the_notes_are_under_the_checksum():
    data = pack("robust_zscore", ARRAYS, {"f1": "0.5"})
    changed = data.replace(json.dumps('{"f1": "0.5"}').encode(), json.dumps('{"f1": "0.9"}').encode())

    assert changed != data
    with pytest.raises(CorruptArtefact, match="checksum"):
        unpack(changed)
