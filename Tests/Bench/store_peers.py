#!/usr/bin/env python3
"""Other stores at the store's work, on the samples that twind-bench exported: one JSON line a figure.

    store_peers.py duckdb|sqlite|victoria|tsfile SAMPLES.parquet FOLDER     the whole comparison of one peer
    store_peers.py join SAMPLES.parquet LABELS.parquet                      DuckDB's ASOF join of twenty points

Runs in the venv of the tests, which has duckdb and pyarrow; tsfile in the one of the peers. A server listens on 127.0.0.1
and is ended by its process id.
"""
import http.client, json, os, pathlib, socket, sqlite3, subprocess, sys, time, urllib.parse

HOUR = 3_600_000
BEGIN = 1_793_491_200_000
POINTS = [f"d{n // 20}.p{n % 20}" for n in range(1000)]
JOINED = [POINTS[n * 53 % 1000] for n in range(20)]
SQLITE_SECONDS = 300


def say(figure, value):
    print(json.dumps({"figure": figure, "value": value}), flush=True)


def median_ms(work, rounds=30):
    """After a few that warm up."""
    times = []
    for number in range(rounds + 3):
        begun = time.perf_counter()
        work(number)
        times.append(1000 * (time.perf_counter() - begun))
    return sorted(times[3:])[rounds // 2]


def written():
    with open("/proc/self/io") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def ten(number):
    first = number * 19 % 990
    return POINTS[first:first + 10]


def connect(path=":memory:"):
    import duckdb
    connection = duckdb.connect(str(path))
    connection.execute("SET threads = 2")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


# A point as a number, times in milliseconds: what someone who cares for size would store.
SAMPLES = (
    "SELECT (string_split(substr(point, 2), '.p')[1]::INTEGER * 20 + string_split(point, '.p')[2]::INTEGER) AS point, "
    "epoch_ns(ts) // 1000000 AS at_ms, epoch_ns(tx) // 1000000 AS tx_ms, value::DOUBLE AS value, "
    "(quality <> 'good')::UTINYINT AS bad")


def duckdb_peer(samples, folder):
    path = folder / "duck.db"
    database = connect(path)
    database.execute(
        f"CREATE TABLE r AS SELECT point, at_ms, value, bad FROM ({SAMPLES} FROM '{samples}') ORDER BY point, at_ms")
    database.execute("CHECKPOINT")
    count = database.execute("SELECT count(*) FROM r").fetchone()[0]
    say("store.bytes_per_sample.a", path.stat().st_size / count)
    ask = lambda text: database.execute(text).fetchall()
    say("store.range_1h_p50_ms", median_ms(lambda n: ask(
        f"SELECT at_ms, value FROM r WHERE point = {n * 37 % 1000} AND at_ms >= {BEGIN + HOUR // 2} "
        f"AND at_ms < {BEGIN + HOUR // 2 + HOUR} ORDER BY at_ms")))
    say("store.avg_1min_10x2h_p50_ms", median_ms(lambda n: ask(
        f"SELECT point, at_ms // 60000, avg(value) FROM r WHERE point BETWEEN {n * 19 % 990} AND {n * 19 % 990 + 9} "
        "GROUP BY ALL")))
    say("store.latest_1000_p50_ms", median_ms(
        lambda n: ask("SELECT point, arg_max(value, at_ms) FROM r GROUP BY point"), 9))
    # Everything twice where it was corrected: 1 % of the rows, two hours after.
    database.execute(
        f"CREATE TABLE b AS SELECT * FROM (SELECT point, at_ms, tx_ms, value FROM ({SAMPLES} FROM '{samples}') "
        f"UNION ALL SELECT point, at_ms, {BEGIN + 4 * HOUR}, value + 5 FROM r WHERE point % 10 = 3 "
        f"AND at_ms BETWEEN {BEGIN + 600_000} AND {BEGIN + 1_320_000}) ORDER BY point, at_ms, tx_ms")
    say("store.asof_1h_p50_ms", median_ms(lambda n: ask(
        f"SELECT at_ms, arg_max(value, tx_ms) FROM b WHERE point = {n * 10 % 1000 + 3} AND at_ms < {BEGIN + HOUR} "
        f"AND tx_ms <= {BEGIN + 3 * HOUR} GROUP BY at_ms ORDER BY at_ms")))
    out = folder / "duck.parquet"
    begun = time.perf_counter()
    database.execute(f"COPY (SELECT * FROM '{samples}') TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    say("store.export_per_s", count / (time.perf_counter() - begun))
    say("store.export_bytes_per_sample", out.stat().st_size / count)
    database.close()
    import pyarrow
    database = connect(folder / "duck-ingest.db")
    database.execute("CREATE TABLE r (at_ms BIGINT, point INTEGER, value DOUBLE, bad UTINYINT)")
    total, spent, before = 0, 0.0, written()
    for rows in batches(samples, 120):
        batch = pyarrow.table([pyarrow.array(column) for column in zip(*rows)], ["at_ms", "point", "value", "bad"])
        begun = time.process_time()
        database.execute("INSERT INTO r SELECT * FROM batch")
        spent += time.process_time() - begun
        total += len(rows)
    say("store.ingest_per_cpu_s.fsync_1s", total / spent)
    say("store.device_bytes_per_sample.fsync_1s", (written() - before) / total)


def batches(samples, seconds):
    """The rows of each of the first seconds: (at_ms, point, value, bad)."""
    rows = connect().execute(
        f"SELECT at_ms, point, value, bad FROM ({SAMPLES} FROM '{samples}') WHERE at_ms < {BEGIN + 1000 * seconds} "
        "ORDER BY at_ms // 1000, point").fetchall()
    first = 0
    while first < len(rows):
        last = first
        while last < len(rows) and rows[last][0] // 1000 == rows[first][0] // 1000:
            last += 1
        yield rows[first:last]
        first = last


def sqlite_peer(samples, folder):
    """A row per sample, as it is mostly done; ingest a commit a second, with an index."""
    database = sqlite3.connect(folder / "naive.db", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE r (at_ms INTEGER NOT NULL, point INTEGER NOT NULL, value REAL, bad INTEGER);"
        "CREATE INDEX rp ON r (point, at_ms);")
    total, spent, before = 0, 0.0, written()
    for batch in batches(samples, SQLITE_SECONDS):
        begun = time.process_time()
        database.execute("BEGIN")
        database.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", batch)
        database.execute("COMMIT")
        spent += time.process_time() - begun
        total += len(batch)
    say("store.ingest_per_cpu_s.fsync_1s", total / spent)
    say("store.device_bytes_per_sample.fsync_1s", (written() - before) / total)
    database.close()
    path = folder / "clustered.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
        "CREATE TABLE r (point INTEGER, at_ms INTEGER, value REAL, bad INTEGER, PRIMARY KEY (point, at_ms)) "
        "WITHOUT ROWID, STRICT;")
    rows = connect().execute(f"SELECT point, at_ms, value, bad FROM ({SAMPLES} FROM '{samples}') ORDER BY ALL")
    database.execute("BEGIN")
    count = 0
    while batch := rows.fetchmany(100_000):
        database.executemany("INSERT OR REPLACE INTO r VALUES (?, ?, ?, ?)", batch)
        count += len(batch)
    database.execute("COMMIT")
    say("store.bytes_per_sample.a", path.stat().st_size / count)
    ask = lambda text, *values: database.execute(text, values).fetchall()
    say("store.range_1h_p50_ms", median_ms(lambda n: ask(
        "SELECT at_ms, value FROM r WHERE point = ? AND at_ms >= ? AND at_ms < ?",
        n * 37 % 1000, BEGIN + HOUR // 2, BEGIN + HOUR // 2 + HOUR)))
    say("store.avg_1min_10x2h_p50_ms", median_ms(lambda n: ask(
        "SELECT point, at_ms / 60000, avg(value) FROM r WHERE point BETWEEN ? AND ? GROUP BY 1, 2",
        n * 19 % 990, n * 19 % 990 + 9), 9))
    say("store.latest_1000_p50_ms", median_ms(lambda n: [
        ask("SELECT value FROM r WHERE point = ? ORDER BY at_ms DESC LIMIT 1", point) for point in range(1000)], 9))
    # The corrected points alone, twice where they were corrected.
    database.executescript(
        "CREATE TABLE b (point INTEGER, at_ms INTEGER, tx_ms INTEGER, value REAL, PRIMARY KEY (point, at_ms, tx_ms)) "
        "WITHOUT ROWID, STRICT;"
        "INSERT INTO b SELECT point, at_ms, at_ms / 1000 * 1000 + 1000, value FROM r WHERE point % 10 = 3;"
        f"INSERT INTO b SELECT point, at_ms, {BEGIN + 4 * HOUR}, value + 5 FROM r WHERE point % 10 = 3 "
        f"AND at_ms BETWEEN {BEGIN + 600_000} AND {BEGIN + 1_320_000};")
    say("store.asof_1h_p50_ms", median_ms(lambda n: ask(
        "SELECT at_ms, value, max(tx_ms) FROM b WHERE point = ? AND at_ms < ? AND tx_ms <= ? GROUP BY at_ms",
        n * 10 % 1000 + 3, BEGIN + HOUR, BEGIN + 3 * HOUR)))


class Victoria:
    """The server in a folder of its own, and a kept connection to it."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = folder / "victoria"
        self.log = open(folder / "victoria.log", "wb")
        self.process = subprocess.Popen(
            ["/usr/bin/victoria-metrics", f"-storageDataPath={self.data}", f"-httpListenAddr=127.0.0.1:{self.port}",
             "-retentionPeriod=100y", "-search.disableCache", "-search.latencyOffset=0s", "-loggerLevel=ERROR",
             "-search.maxPointsPerTimeseries=1000000"], stdout=self.log, stderr=self.log)
        self.connection = None

    def ask(self, method, path, body=None):
        for attempt in range(100):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
                self.connection.request(method, path, body)
                reply = self.connection.getresponse()
                text = reply.read()
                if reply.status >= 400:
                    raise SystemExit(f"victoria-metrics answers {reply.status} to {path[:80]}")
                return text
            except (OSError, http.client.HTTPException):
                self.connection = None
                if self.process.poll() is not None or attempt == 99:
                    raise
                time.sleep(0.1)

    def status(self, file, key):
        with open(f"/proc/{self.process.pid}/{file}") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(key))

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as line:
            fields = line.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def bytes(self):
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def victoria_peer(samples, folder):
    server = Victoria(folder)
    try:
        server.ask("GET", "/health")
        bodies = connect().execute(
            f"SELECT count(*), string_agg('v,point=' || point || ' value=' || value || ' ' || epoch_ns(ts), chr(10)) "
            f"FROM '{samples}' GROUP BY epoch_ns(ts) // 1000000000 ORDER BY epoch_ns(ts) // 1000000000")
        total, cpu, before = 0, server.cpu(), server.status("io", "write_bytes")
        while batch := bodies.fetchmany(200):
            for count, body in batch:
                server.ask("POST", "/write", body.encode())
                total += count
        say("store.ingest_per_cpu_s.fsync_1s", total / (server.cpu() - cpu))
        say("store.memory_mib", server.status("status", "VmHWM") / 1024)
        server.ask("GET", "/internal/force_flush")
        server.ask("GET", "/internal/force_merge?partition_prefix=2026_11")
        last, still = -1, 0
        for _ in range(60):
            time.sleep(1)
            now = server.bytes()
            still = still + 1 if now == last else 0
            last = now
            if still >= 5:
                break
        say("store.bytes_per_sample.a", last / total)
        ask = lambda path, **keys: json.loads(server.ask("GET", f"{path}?{urllib.parse.urlencode(keys)}"))
        seconds = BEGIN / 1000
        say("store.range_1h_p50_ms", median_ms(lambda n: ask(
            "/api/v1/export", **{"match[]": f'v_value{{point="{POINTS[n * 37 % 1000]}"}}', "start": seconds + 1800,
                                 "end": seconds + 5400})))
        say("store.avg_1min_10x2h_p50_ms", median_ms(lambda n: ask(
            "/api/v1/query_range", query=f'avg_over_time(v_value{{point=~"{"|".join(ten(n))}"}}[1m])', start=seconds,
            end=seconds + 7200, step=60)))
        say("store.latest_1000_p50_ms", median_ms(lambda n: ask("/api/v1/query", query="v_value", time=seconds + 7199), 9))
    finally:
        server.end()


def tsfile_peer(samples, folder):
    """Whole counts, scaled by hand; the twenty points of a device share their times. Of all devices the first ten."""
    from tsfile import ColumnCategory, ColumnSchema, TableSchema, Tablet, TSDataType, TsFileTableWriter
    import pyarrow, pyarrow.parquet
    table = pyarrow.parquet.read_table(
        samples, columns=["point", "ts", "value"], filters=[("point", "in", POINTS[:200])])
    series = {}
    times = table["ts"].cast(pyarrow.int64()).to_pylist()
    for point, at, value in zip(table["point"].to_pylist(), times, table["value"].to_pylist()):
        kind = int(point.partition(".p")[2])
        digits = 0 if kind >= 18 else 2 if kind in (6, 7, 8, 13, 14) else 1
        series.setdefault(point, []).append((at // 1_000_000, int(value.scaleb(digits))))
    fields = [ColumnSchema(f"v{n}", TSDataType.INT32, ColumnCategory.FIELD) for n in range(20)]
    schema = TableSchema("site", [ColumnSchema("device", TSDataType.STRING, ColumnCategory.TAG)] + fields)
    names, kinds = ["device"] + [f"v{n}" for n in range(20)], [TSDataType.STRING] + [TSDataType.INT32] * 20
    path, count = folder / "a.tsfile", 0
    with TsFileTableWriter(str(path), schema) as writer:
        for device in range(10):
            columns = [series[POINTS[20 * device + n]] for n in range(20)]
            for first in range(0, len(columns[0]), 1024):
                rows = range(first, min(first + 1024, len(columns[0])))
                tablet = Tablet(names, kinds, len(rows))
                for place, row in enumerate(rows):
                    tablet.add_timestamp(place, columns[0][row][0])
                    tablet.add_value_by_index(0, place, f"d{device}")
                    for n in range(20):
                        tablet.add_value_by_index(1 + n, place, columns[n][row][1])
                writer.write_table(tablet)
                count += 20 * len(rows)
    say("store.bytes_per_sample.a", path.stat().st_size / count)


def join(samples, labels):
    """Both sides lie in memory, sorted; the best of five. What had not been observed at a label's time is not looked at:
    the join has one inequality to give."""
    database = connect()
    names = ", ".join(f"'{point}'" for point in JOINED)
    database.execute(
        f"CREATE TABLE r AS SELECT point, epoch_ns(ts) AS ns, value::DOUBLE AS value FROM '{samples}' "
        f"WHERE point IN ({names}) ORDER BY point, ns")
    database.execute(f"CREATE TABLE l AS SELECT epoch_ns(label) AS ns FROM '{labels}'")
    database.execute(f"CREATE TABLE p AS SELECT unnest([{names}]) AS point")
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        table = database.sql(
            "SELECT l.ns, p.point, r.value FROM l CROSS JOIN p ASOF JOIN r ON p.point = r.point AND l.ns >= r.ns"
        ).to_arrow_table()
        best = min(best, time.perf_counter() - begun)
    import pyarrow.compute
    say("store.join_seconds", best)
    say("store.join_rows", table.num_rows)
    say("store.join_sum", pyarrow.compute.sum(table["value"]).as_py())


def main():
    kind, samples, place = sys.argv[1:]
    if kind == "join":
        return join(samples, place)
    folder = pathlib.Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    {"duckdb": duckdb_peer, "sqlite": sqlite_peer, "victoria": victoria_peer, "tsfile": tsfile_peer}[kind](samples, folder)


if __name__ == "__main__":
    main()
