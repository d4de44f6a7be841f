"""Records in Arrow tables: rows that decode a column only when it is asked for, and what writes Parquet.

Columns that nothing looks at go from the table that was read to the one that is written, with their types and values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.bulk import storage, writers
from trainer.errors import InputError

_DECODED_WHOLE = frozenset(("id", "url", "site", "text", "paragraphs"))
_ROWS, _BYTES = 10_000, 16 << 20  # of a row group; whichever is reached first
_SAMPLE_ROWS, _SAMPLE_BYTES = 1000, 8 << 20  # of records that types are inferred from at once

_REMOVED = {"index": pa.int64(), "start": pa.int64(), "end": pa.int64()}
_REMOVED |= {"text": pa.string(), "label": pa.string(), "probability": pa.float64()}
_FILTER = {"model": pa.string(), "model_digest": pa.string(), "kept": pa.int64(), "removed": pa.int64()}
_FILTER |= {"removed_share": pa.float64(), "flags": pa.list_(pa.string())}
_TYPES = {
    "id": pa.null(),  # whatever type the records show
    "url": pa.string(),
    **_REMOVED,
    "removed": pa.list_(pa.struct(_REMOVED)),
    "filter": pa.struct(_FILTER),
}


def check_columns(names: Sequence[str], place: str) -> None:
    """Refuse a table without articles.

    Raises:
        InputError: it has neither a column `text` nor `paragraphs`.
    """
    if not {"text", "paragraphs"} & set(names):
        cause = f"has no column text or paragraphs, only {', '.join(names)[:200]}"
        raise InputError(cause, where=place, hint="Rename the column that holds the article.")


def typed(fields: Sequence[str]) -> pa.Schema:
    """Return the columns of fields that are written."""
    return pa.schema([(name, _TYPES[name]) for name in fields])


_FEATURES = b"huggingface"  # the columns as they were; who believes it cannot read those that are new


class _Batch:
    """Rows that were read together."""

    def __init__(self, data: pa.RecordBatch) -> None:
        self.data = data
        self.position = {name: number for number, name in enumerate(data.schema.names)}
        self._decoded: dict[str, list[Any]] = {}

    def value(self, name: str, index: int) -> Any:
        column = self.data.column(self.position[name])
        if name not in _DECODED_WHOLE:
            return _python(column[index])
        if name not in self._decoded:
            self._decoded[name] = column.to_pylist()
        return self._decoded[name][index]


class Row(Mapping[str, Any]):
    """A row of a table as a record."""

    __slots__ = ("batch", "index")

    def __init__(self, batch: _Batch, index: int) -> None:
        self.batch, self.index = batch, index

    def __getitem__(self, name: str) -> Any:
        return self.batch.value(name, self.index)

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.position)

    def __len__(self) -> int:
        return len(self.batch.position)


def rows(data: pa.RecordBatch) -> Iterator[Row]:
    """Yield the rows of a batch."""
    batch = _Batch(data)
    return (Row(batch, index) for index in range(data.num_rows))


class RowWriter:
    """Writes rows with what is set in them to a Parquet file; a context manager.

    Args:
        file: to write to. schema: of the tables that the rows come from. fields: that are set in each row.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema, fields: Sequence[str]) -> None:
        self._out, self._fields = _Out(file), fields
        self._passed = [name for name in schema.names if name not in (*writers.KEPT, "paragraphs")]
        self._rest = pa.schema([schema.field(name) for name in self._passed])
        there = [_text_field(schema.field(name)) for name in schema.names if name in (*self._passed, "text")]
        new = [field for field in typed(fields) if field.name != "text" or "text" not in schema.names]
        metadata = {key: value for key, value in (schema.metadata or {}).items() if key != _FEATURES}
        self._schema = pa.schema([*there, *new], metadata)
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._out.close(whole=kind is None)

    def write(self, record: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Take a `Row` and what is set in it."""
        assert isinstance(record, Row)  # noqa: S101 (there is a schema only where rows come from tables)
        if not self._runs or self._runs[-1][0] is not record.batch:
            if len(self._changes) >= _ROWS or self._size >= _BYTES:
                self._flush()
            self._runs.append((record.batch, []))
            self._size += record.batch.data.nbytes
        self._runs[-1][1].append(record.index)
        self._changes.append(changes)

    def _start(self) -> None:
        self._runs: list[tuple[_Batch, list[int]]] = []
        self._changes: list[Mapping[str, Any]] = []
        self._size = 0

    def _flush(self) -> None:
        parts = [_taken(batch.data.select(self._passed), indices) for batch, indices in self._runs]
        passed = pa.Table.from_batches(parts, self._rest)
        columns = [
            pa.array([change[field.name] for change in self._changes], field.type)
            if field.name in self._fields
            else passed.column(field.name)
            for field in self._schema
        ]
        self._out.write(pa.Table.from_arrays(columns, schema=self._schema))
        self._start()


class RecordWriter:
    """Writes dictionaries to a Parquet file; a context manager.

    Args:
        file: to write to. schema: of the fields that are known; null where the type shows in the records. infer: whether there
            are others, whose types show there too; these lie in a temporary file meanwhile. Where the values of a field have no
            type in common, it becomes a text, of what is no text its JSON.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema, *, infer: bool = False) -> None:
        self._file = file
        self._known = {field.name: field.type for field in schema if not pa.types.is_null(field.type)}
        self._infer = infer or len(self._known) < len(schema)
        self._schema = pa.schema([]) if infer else schema
        self._spool, self._lines = storage.spool()
        self._sample: list[bytes] = []
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._lines:
            if kind is None:
                self._look()
                self._copy()

    def write(self, record: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Take a record and what is set in it.

        Raises:
            InputError: it holds half a character, which a Parquet text cannot.
        """
        try:
            line = writers.python_line({key: value for key, value in record.items() if key != "paragraphs"} | dict(changes))
        except UnicodeEncodeError:
            raise InputError("holds a lone surrogate, which Parquet has no form for") from None
        self._spool.write(line)
        self._sample.append(line)
        self._size += len(line)
        if len(self._sample) >= _SAMPLE_ROWS or self._size >= _SAMPLE_BYTES:
            self._look()

    def _look(self) -> None:
        """Let the schema fit the latest records too."""
        if self._infer:
            records = [json.loads(line) for line in self._sample]
            for name in dict.fromkeys(name for record in records for name in record):
                found = self._known.get(name) or _inferred([record.get(name) for record in records])
                self._schema = _with(self._schema, name, found)
        self._sample, self._size = [], 0

    def _copy(self) -> None:
        out = _Out(self._file)
        types = {field.name: pa.string() if _unwritable(field.type) else field.type for field in self._schema}
        types |= {"id": pa.string()} if types.get("id") == pa.null() else {}
        schema = pa.schema((types | self._known).items())
        self._spool.flush()
        self._lines.seek(0)
        waiting: list[dict[str, Any]] = []
        size = 0
        for line in self._lines:
            waiting.append(json.loads(line))
            size += len(line)
            if len(waiting) >= _ROWS or size >= _BYTES:
                out.write(_table(waiting, schema))
                waiting, size = [], 0
        out.write(_table(waiting, schema))
        out.close(whole=True)


class _Out:
    """A Parquet file that begins with its first table; of empty tables only the first is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd", write_page_checksum=True)
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)

    def close(self, *, whole: bool) -> None:
        """Write the footer, if the file is to be whole."""
        if self._writer is not None and whole:
            self._writer.close()


def _text_field(field: pa.Field) -> pa.Field:
    """Return a column as it is; if it is `text` and of a type that takes none (all null, beside `paragraphs`), one that does."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    takes = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return field if takes or field.name != "text" else pa.field("text", pa.string())


def _taken(data: pa.RecordBatch, indices: list[int]) -> pa.RecordBatch:
    if indices[-1] - indices[0] + 1 == len(indices):
        return data.slice(indices[0], len(indices))
    return data.take(pa.array(indices))


def _inferred(values: list[Any]) -> pa.DataType:
    try:
        return pa.array(values).type
    except (pa.ArrowException, OverflowError):
        return pa.string()


def _with(schema: pa.Schema, name: str, found: pa.DataType) -> pa.Schema:
    """Return the schema with a column whose type takes the values of both."""
    number = schema.get_field_index(name)
    if number < 0:
        return schema.append(pa.field(name, found))
    try:
        both = [pa.schema([pa.field(name, kind)]) for kind in (schema.field(number).type, found)]
        merged = pa.unify_schemas(both, promote_options="permissive").field(0)
    except pa.ArrowException:
        merged = pa.field(name, pa.string())
    return schema.set(number, merged)


def _unwritable(kind: pa.DataType) -> bool:
    """Return whether it has an object without fields in it, for which Parquet has no form."""
    fields = [kind.field(number) for number in range(kind.num_fields)]
    return (pa.types.is_struct(kind) and not fields) or any(_unwritable(field.type) for field in fields)


def _table(records: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        values = [record.get(field.name) for record in records]
        if pa.types.is_string(field.type):
            values = [
                value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values
            ]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _python(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except ValueError:  # nanoseconds, for which Python has no type
        return str(scalar.cast(pa.string()))
