"""A PostgreSQL server of a test's own, in a folder below /tmp, reached through a socket there.

It refuses to be root: as root it runs as `postgres`, or as `nobody` where that user is missing.
"""
import glob, os, pathlib, pwd, shutil, signal, subprocess, tempfile, time


class PostgreSQL:
    SETTINGS = ["listen_addresses = ''", "max_connections = 60", "shared_buffers = 16MB", "max_wal_size = 256MB"]

    @staticmethod
    def tools():
        """Newest version's folder of programs; None where there is no server."""
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
        return pathlib.Path(found[-1]) if found else None

    def __init__(self):
        self.bin = self.tools()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="twind-pg-", dir="/tmp"))
        self.user = None
        if os.geteuid() == 0:
            names = [name for name in ("postgres", "nobody") if self.known(name)]
            self.user = names[0]
            shutil.chown(self.folder, self.user)
        self.data = self.folder / "data"
        self.run("initdb", "-N", "-A", "trust", "-U", "twind", "-E", "UTF8", "--locale=C", "-D", self.data)
        lines = self.SETTINGS + [f"unix_socket_directories = '{self.folder}'"]
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("\n".join(lines) + "\n")
        self.start()

    @staticmethod
    def known(name):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            return None

    @property
    def place(self):
        return f"host={self.folder} user=twind dbname=postgres"

    def run(self, program, *words):
        # A file, not a pipe: a server that was started here would hold a pipe open.
        with open(self.folder / "said", "w+") as said:
            done = subprocess.run(
                [str(self.bin / program), *map(str, words)], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                cwd=self.folder, user=self.user, group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                extra_groups=[] if self.user else None, timeout=60)
            said.seek(0)
            text = said.read()
        if done.returncode:
            raise RuntimeError(f"{program}: {done.returncode} {text}")
        return text

    def start(self):
        # The remains of a killed server take a moment to go.
        for attempt in range(20):
            try:
                return self.run("pg_ctl", "start", "-w", "-t", "30", "-D", self.data, "-l", self.folder / "log")
            except RuntimeError:
                if attempt == 19:
                    raise
                time.sleep(0.25)

    def kill(self):
        """SIGKILL to the postmaster: its children see that and end."""
        os.kill(int((self.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)

    def sql(self, statement):
        """One statement as the owner; its rows as text."""
        return self.run("psql", "-q", "-A", "-t", "-h", self.folder, "-U", "twind", "-d", "postgres", "-c", statement)

    def close(self):
        try:
            self.run("pg_ctl", "stop", "-m", "immediate", "-w", "-t", "20", "-D", self.data)
        except (RuntimeError, subprocess.TimeoutExpired):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)
