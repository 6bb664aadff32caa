"""From pydantic records to Arrow types, and from Arrow types to the features that `datasets` declares."""

from __future__ import annotations

import types
import typing
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from physreel.errors import InputError

_PLAIN: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
}


def arrow_struct(model: type[BaseModel]) -> pa.StructType:
    """The struct type of a record of plain types, lists and nested records; all fields may be null.

    Raises:
        InputError: a field is of a type that has no column, with its path.
    """
    if not model.model_fields:
        raise InputError(f"{model.__name__} has no fields, and a column needs one; add a field")
    return pa.struct(
        [
            pa.field(name, _arrow_type(field.annotation, f"{model.__name__}.{name}"))
            for name, field in model.model_fields.items()
        ]
    )


def _arrow_type(annotation: Any, path: str) -> pa.DataType:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return arrow_struct(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _arrow_type(arguments[0], path)
    if origin in (typing.Union, types.UnionType):
        rest = [argument for argument in arguments if argument is not type(None)]
        if len(rest) == 1:
            return _arrow_type(rest[0], path)
    if origin is typing.Literal and len({type(value) for value in arguments}) == 1:
        return _arrow_type(type(arguments[0]), path)
    if origin is list or (origin is tuple and (len(set(arguments)) == 1 or arguments[1:] == (...,))):
        return pa.list_(_arrow_type(arguments[0], path))
    raise InputError(
        f"{path}: {annotation} has no column type; use bool, int, float, str, one of these | None, list[…] of one, "
        "or a nested Outcome"
    )


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema as it was before Parquet, which names the items of lists otherwise: what is stored is alike again."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema], metadata=schema.metadata)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        fields = (kind.field(k) for k in range(kind.num_fields))
        return pa.struct([field.with_type(_plain_type(field.type)) for field in fields])
    return pa.list_(_plain_type(kind.value_type)) if pa.types.is_list(kind) else kind


def dataset_features(schema: pa.Schema) -> dict[str, Any]:
    """What Hugging Face `datasets` calls features: video and audio declared, all else by its Arrow type."""
    special = {"video": {"_type": "Video"}, "audio": {"_type": "Audio"}}
    return {field.name: special.get(field.name) or _feature(field.type) for field in schema}


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    names = {pa.float64(): "float64", pa.float32(): "float32", pa.bool_(): "bool"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}
