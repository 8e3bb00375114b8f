#!/usr/bin/env python3
"""Reads Parquet files with another's reader and prints what it sees as JSON lines.

    read_parquet.py pyarrow|duckdb FILE...   {"file": NAME}, then a line for each row
    read_parquet.py facts FILE               what the footer says, by pyarrow

A cell is null or a text with its kind in front: i an integer, the unscaled one of a decimal, or a timestamp's count;
b a boolean; d the bits of a double; t the UTF-8 of a text; both in hexadecimal.
"""
import json, os, struct, sys


def cell(value):
    import datetime, decimal
    if value is None:
        return None
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return "d" + struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return f"i{int(value.scaleb(-value.as_tuple().exponent))}"
    if isinstance(value, datetime.datetime):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return f"i{(value - epoch) // datetime.timedelta(microseconds=1)}"
    return "t" + (value if isinstance(value, bytes) else value.encode()).hex()


def line(value):
    print(json.dumps(value, separators=(",", ":")))


def pyarrow_rows(path):
    import pyarrow, pyarrow.parquet
    with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            table, columns = file.read_row_group(group), []
            for column in table.columns:
                if pyarrow.types.is_timestamp(column.type):
                    column = column.cast(pyarrow.int64())
                columns.append([cell(value) for value in column.to_pylist()])
            yield from zip(*columns)


def duckdb_rows(path):
    import duckdb
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"read_parquet('{path}')"
    chosen = []
    for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall():
        chosen.append(f'epoch_ns("{name}")' if kind.startswith("TIMESTAMP") else f'"{name}"')
    rows = connection.execute(f"SELECT {', '.join(chosen)} FROM {source}")
    while batch := rows.fetchmany(10_000):
        for row in batch:
            yield [cell(value) for value in row]


def facts(path):
    import pyarrow.parquet
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    pairs = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
    line({"created_by": metadata.created_by, "metadata": pairs, "rows": metadata.num_rows,
          "groups": [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]})
    for index in range(metadata.num_columns):
        column = metadata.schema.column(index)
        line({"column": column.name, "physical": column.physical_type, "logical": str(column.logical_type),
              "nullable": column.max_definition_level == 1})
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(metadata.num_columns):
            chunk = group.column(index)
            line({"group": number, "chunk": chunk.path_in_schema, "values": chunk.num_values,
                  "nulls": chunk.statistics.null_count,
                  "bounds": [cell(chunk.statistics.min_raw), cell(chunk.statistics.max_raw)]
                  if chunk.statistics.has_min_max else None,
                  "encodings": sorted(chunk.encodings), "codec": chunk.compression})


def main():
    kind, *paths = sys.argv[1:]
    for path in paths:
        if kind == "facts":
            facts(path)
            continue
        line({"file": os.path.basename(path)})
        for row in {"pyarrow": pyarrow_rows, "duckdb": duckdb_rows}[kind](path):
            line(list(row))


if __name__ == "__main__":
    main()
