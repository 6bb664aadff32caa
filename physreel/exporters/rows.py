"""Rows: a sample as what every format stores, and exporters that store rows.

A sample has one row for each of its views, with the columns of docs/storage.md. Exporters of rows differ only in how
they put rows into a shard, so a data set can be converted from one format to another without making it anew.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from physreel.exporters.base import ExportContext, Exporter
from physreel.exporters.lossless import encode_pass
from physreel.exporters.schema import arrow_struct, dataset_features, plain_schema
from physreel.exporters.sound import encode_flac
from physreel.exporters.video import encode_mp4
from physreel.geometry.mass import MASSLESS, body_mass_properties
from physreel.spec import Body, SceneSpec
from physreel.values import Event, Outcome, Question, Sample, SoundEvent, Trajectory, View
from physreel.values.encodings import PASS_ENCODINGS

_FLOATS = pa.list_(pa.float64())
_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_CAMERA = pa.struct([("name", pa.string()), ("intrinsics", _FLOATS), ("camera_to_world", _FLOATS)])
_MICROPHONE = pa.struct([("name", pa.string()), ("position_m", _FLOATS)])
_BODY = pa.struct(
    [
        ("name", pa.string()),
        ("label", pa.string()),
        ("material", pa.string()),
        ("shape", pa.string()),
        ("motion", pa.string()),
        ("mass_kg", pa.float64()),
        ("segmentation_id", pa.int64()),
        ("pose", _FLOATS),
    ]
)
_SIGNAL = pa.struct([("name", pa.string()), ("unit", pa.string()), ("rate_hz", pa.float64()), ("values", _FLOATS)])
_FLUID = pa.struct(
    [
        ("name", pa.string()),
        ("label", pa.string()),
        ("liquid", pa.string()),
        ("volume_m3", pa.float64()),
        ("particle_count", pa.int64()),
        ("segmentation_id", pa.int64()),
    ]
)


def row_schema(context: ExportContext) -> pa.Schema:
    """The columns of a scene's rows; what else a reader must know is in the fields' metadata."""
    text, whole, number = pa.string(), pa.int64(), pa.float64()
    fields: list[tuple[str, pa.DataType]] = [
        ("sample_id", text), ("scene", text), ("scene_version", whole), ("domains", pa.list_(text)), ("seed", whole),
        ("index", whole), ("split", text), ("group_id", text), ("variant", text),
    ]  # fmt: skip
    if "rgb" in context.passes:
        fields.append(("video", _FILE))
    if context.audio:
        fields += [
            ("audio", _FILE),
            ("pascal_per_unit", number),
            ("clipped_fraction", number),
            ("microphones", pa.list_(_MICROPHONE)),
            ("sound_events", pa.list_(arrow_struct(SoundEvent))),
        ]
    fields += [(name, pa.binary()) for name in context.passes if name != "rgb"]
    fields += [
        ("fps", whole), ("frame_count", whole), ("width", whole), ("height", whole), ("duration_s", number),
        ("cue_s", number), ("camera", _CAMERA), ("caption", text), ("questions", pa.list_(arrow_struct(Question))),
        ("events", pa.list_(arrow_struct(Event))), ("outcome", arrow_struct(context.outcome_type)),
        ("bodies", pa.list_(_BODY)), ("fluids", pa.list_(_FLUID)), ("signals", pa.list_(_SIGNAL)), ("spec", text),
        ("provenance", text),
    ]  # fmt: skip
    made = pa.schema([pa.field(name, kind, metadata=_field_metadata(name)) for name, kind in fields])
    features = {"info": {"features": dataset_features(made)}}
    return made.with_metadata({"huggingface": json.dumps(features), "physreel": "1"})


def _field_metadata(name: str) -> dict[str, str] | None:
    encoding = PASS_ENCODINGS.get(name)
    if encoding is None:
        return None
    return {
        "encoding": "zstd of byte planes of frame differences",
        "dtype": encoding.dtype,
        "scale": repr(encoding.step),
        "offset": "0",
        "channels": str(encoding.channels),
        "unit": encoding.unit,
        "nothing": encoding.nothing,
    }


def sample_rows(sample: Sample, context: ExportContext) -> list[dict[str, Any]]:
    """A row for each view of a sample, as plain values and encoded bytes."""
    shared = _shared_columns(sample, context)
    return [shared | _view_columns(sample, view, context) for view in sample.clip.views]


class RowExporter(Exporter):
    """An exporter whose shards hold rows.

    Attributes:
        suffix: how the names of its shards end.
        schema: Arrow schema of its rows.
    """

    suffix: ClassVar[str]

    def __init__(self, context: ExportContext) -> None:
        super().__init__(context)
        self.schema = row_schema(context)

    @classmethod
    def of_schema(cls, scene: str, schema: pa.Schema) -> RowExporter:
        """An exporter of rows that exist already and have this schema."""
        made = cls.__new__(cls)
        names = set(schema.names)
        passes: Any = tuple(name for name in ("rgb", *PASS_ENCODINGS) if ("video" if name == "rgb" else name) in names)
        # Only the classes of scenes know outcome types; for rows their schema is enough.
        made.context = ExportContext(scene=scene, outcome_type=Outcome, passes=passes, audio="audio" in names)
        made.schema = plain_schema(schema)
        return made

    def encode(self, sample: Sample) -> bytes:
        """See Exporter.encode."""
        return self.pack(sample_rows(sample, self.context))

    def pack(self, rows: list[dict[str, Any]]) -> bytes:
        """The rows of one sample as a small Parquet file, which is what ``write_shard`` takes."""
        # Not an Arrow stream: behind a stream's null values lies whatever memory held.
        out = pa.BufferOutputStream()
        table = pa.Table.from_pylist(rows, schema=self.schema)
        pq.write_table(table, out, compression="none", use_dictionary=False, write_statistics=False)
        return bytes(out.getvalue())

    def write_shard(self, encoded: Iterable[bytes], path: Path) -> int:
        """See Exporter.write_shard."""
        return self.write_rows((pq.read_table(pa.BufferReader(blob)) for blob in encoded), path)

    def shard_path(self, split: str, shard: int, shard_count: int) -> str:
        """See Exporter.shard_path."""
        return f"data/{self.context.scene}/{split}-{shard:05d}-of-{shard_count:05d}{self.suffix}"

    @abstractmethod
    def write_rows(self, samples: Iterator[pa.Table], path: Path) -> int:
        """Write a whole shard of samples (a table of rows each) to ``path``, synced; returns the number of rows."""


def _shared_columns(sample: Sample, context: ExportContext) -> dict[str, Any]:
    spec, where = sample.spec, sample.provenance
    row: dict[str, Any] = {
        "scene": spec.scene,
        "scene_version": where.scene_version,
        "domains": list(sample.domains),
        "seed": where.seed,
        "index": where.index,
        "split": sample.split,
        "group_id": sample.group_id,
        "variant": sample.variant,
        "fps": spec.fps,
        "frame_count": spec.frame_count,
        "duration_s": spec.duration_s,
        "cue_s": spec.cue_s,
        "caption": sample.caption,
        "questions": [question.model_dump() for question in sample.questions],
        "events": [event.model_dump() for event in sample.events],
        "outcome": sample.outcome.model_dump(),
        "bodies": [_body_row(spec, body, k, sample.trajectory.body_pose[:, k]) for k, body in enumerate(spec.bodies)],
        "fluids": _fluid_rows(spec, sample.trajectory),
        "signals": [
            {"name": name, "unit": signal.unit, "rate_hz": signal.rate_hz, "values": signal.values}
            for name, signal in sample.trajectory.signals.items()
        ],
        "spec": spec.to_json(),
        "provenance": where.model_dump_json(),
    }
    audio = sample.clip.audio
    if context.audio and audio is not None:
        row |= {
            "pascal_per_unit": audio.pascal_per_unit,
            "clipped_fraction": audio.clipped_fraction,
            "microphones": [{"name": mic.name, "position_m": list(mic.position_m)} for mic in spec.microphones],
            "sound_events": [event.model_dump() for event in audio.events],
        }
        if audio.samples.shape[1]:
            row["audio"] = {"bytes": encode_flac(audio.samples), "path": f"{sample.sample_id}.flac"}
    return row


def _view_columns(sample: Sample, view: View, context: ExportContext) -> dict[str, Any]:
    several = len(sample.clip.views) > 1
    sample_id = f"{sample.sample_id}-{view.camera}" if several else sample.sample_id
    camera = next(camera for camera in sample.spec.cameras if camera.name == view.camera)
    row: dict[str, Any] = {
        "sample_id": sample_id,
        "width": camera.width,
        "height": camera.height,
        "camera": {
            "name": view.camera,
            "intrinsics": view.intrinsics.ravel(),
            "camera_to_world": view.camera_to_world.ravel(),
        },
    }
    for name in context.passes:
        values = getattr(view, name)
        if values is None:
            continue
        if name == "rgb":
            audio = sample.clip.audio
            film = encode_mp4(values, sample.clip.fps, None if audio is None else audio.samples)
            row["video"] = {"bytes": film, "path": f"{sample_id}.mp4"}
        else:
            row[name] = encode_pass(name, values)
    return row


def _body_row(spec: SceneSpec, body: Body, index: int, pose: Any) -> dict[str, Any]:
    solid = body.shape.kind not in MASSLESS
    return {
        "name": body.name,
        "label": body.label,
        "material": body.material,
        "shape": body.shape.kind,
        "motion": body.motion,
        "mass_kg": body_mass_properties(body, spec.material_of(body)).mass if solid else None,
        "segmentation_id": index + 1,
        "pose": np.ascontiguousarray(pose).ravel(),
    }


def _fluid_rows(spec: SceneSpec, trajectory: Trajectory) -> list[dict[str, Any]]:
    liquid = trajectory.liquid
    if liquid is None:
        return []
    counts = np.bincount(liquid.fluid, minlength=len(spec.fluids)).tolist()
    return [
        {
            "name": fluid.name,
            "label": fluid.label,
            "liquid": fluid.liquid,
            "volume_m3": count * liquid.particle_volume_m3,
            "particle_count": count,
            "segmentation_id": len(spec.bodies) + 1 + index,
        }
        for index, (fluid, count) in enumerate(zip(spec.fluids, counts, strict=True))
    ]
