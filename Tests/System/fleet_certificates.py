#!/usr/bin/env python3
"""Certificates between a site and its foundation, behind a real mosquitto: strangers, renewal before and after the end,
a renewal that fails, a revocation while the site is connected, and a revoked site that asks for more. Exit 77: skipped.
"""
import datetime, json, os, pathlib, shutil, socket, ssl, subprocess, sys, time, warnings

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Support"))
from fleet_stand import MOSQUITTO, Failure, run_steps, within

BIN = pathlib.Path(os.environ.get("TWIND_BIN_DIR") or ROOT / ".build/debug")
# Old TLS is what is tried.
warnings.simplefilter("ignore", DeprecationWarning)
# MQTT 5, clean start, no name.
CONNECT = bytes([0x10, 0x0D, 0, 4]) + b"MQTT" + bytes([5, 2, 0, 60, 0, 0, 0])
CONNACK = 0x20
CA = """[ca]
default_ca = devices
[devices]
database = {0}/index
rand_serial = yes
unique_subject = no
new_certs_dir = {0}
certificate = {1}/device.crt
private_key = {1}/device.key
default_md = sha256
policy = any
x509_extensions = client
[any]
commonName = supplied
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


def stands(condition, what):
    if not condition:
        raise Failure(what)


def openssl(*words, data=None):
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, text=True, timeout=30)
    stands(done.returncode == 0, f"openssl {words[0]}: {done.stderr[-400:]}")
    return done.stdout


def serial(path):
    return openssl("x509", "-in", path, "-noout", "-serial").strip().split("=")[1]


def peer(fleet):
    return fleet.sites["north"] / "state/peer"


def put_certificate(fleet, first_day, last_day):
    """Gives the site a certificate by the fleet's own authority with dates of our choice, in days from now."""
    work, authority, folder = fleet.work / "ca", fleet.state / "authority", peer(fleet)
    work.mkdir(exist_ok=True)
    (work / "index").touch()
    (work / "conf").write_text(CA.format(work, authority))
    asked = openssl("req", "-new", "-key", folder / "site.key", "-subj", "/CN=acme.north")
    (work / "asked").write_text(asked)
    now = datetime.datetime.now(datetime.timezone.utc)
    dates = [(now + datetime.timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in (first_day, last_day)]
    made = openssl(
        "ca", "-batch", "-notext", "-config", work / "conf", "-in", work / "asked", "-startdate", dates[0], "-enddate",
        dates[1])
    made = made[made.index("-----BEGIN"):]
    (folder / "site.crt").write_text(made + (authority / "device.crt").read_text())
    for name in ("next.crt", "next.key"):
        (folder / name).unlink(missing_ok=True)
    return serial(folder / "site.crt")


def answer(port, fleet, certificate=None, key=None, version=ssl.TLSVersion.TLSv1_3):
    """The first byte of the broker's answer to a CONNECT over TLS, or why there is none."""
    context = ssl.create_default_context(cafile=str(fleet.state / "authority/root.crt"))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    if certificate:
        context.load_cert_chain(certificate, key)
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(CONNECT)
                said = secure.recv(1)
                return said[0] if said else "closed"
    except (ssl.SSLError, OSError) as error:
        return str(error)


def strangers(fleet):
    """Rows 1 and 2: without a certificate, with a foreign one, with old TLS and without any: no MQTT is spoken."""
    fleet.add_site("north")
    fleet.start_plant("north")
    fleet.enrol("north")
    own = [str(peer(fleet) / name) for name in ("site.crt", "site.key")]
    stands(answer(fleet.port, fleet, *own) == CONNACK, f"the site itself: {answer(fleet.port, fleet, *own)}")
    foreign = [str(fleet.work / name) for name in ("foreign.crt", "foreign.key")]
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=acme.north", "-days",
        "9", "-out", foreign[0], "-keyout", foreign[1])
    for who, words in [("nobody", []), ("a foreign certificate", foreign)]:
        said = answer(fleet.port, fleet, *words)
        stands(said != CONNACK, f"{who} was let in")
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
        for port in (fleet.port, fleet.enrol_port):
            said = answer(port, fleet, *own, version=version)
            stands(isinstance(said, str), f"{version.name} was accepted on port {port}: {said}")
    for port in (fleet.port, fleet.enrol_port):
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.settimeout(2)
            plain.sendall(CONNECT)
            try:
                said = plain.recv(1)
            except OSError:
                said = b""
            stands(said[:1] != bytes([CONNACK]), f"a CONNACK in the clear on port {port}")
    # Over the enrolment listener nobody needs a certificate, and can do nothing but ask.
    stands(answer(fleet.enrol_port, fleet) == CONNACK, "the enrolment listener does not answer")


def renewed_before_its_end(fleet):
    """A third of the life is left: the site renews by itself, goes over to the new certificate, and keeps one pair."""
    old = put_certificate(fleet, -70, 20)
    fleet.start_edge("north")
    within(60, "the renewed certificate is in use", lambda: "the renewed certificate is in use" in fleet.log("north-edge"))
    fleet.current("north")
    folder = peer(fleet)
    stands(serial(folder / "site.crt") != old, "the old certificate is still there")
    stands(not (folder / "next.crt").exists(), "the renewed pair was not promoted")
    certificate = fleet.sync("north")["certificate"]
    stands(certificate["state"] == "good" and "renewed_at" in certificate, f"{certificate}")
    audit = fleet.fleet("audit", "acme.north") and fleet.fleet("audit")["entries"]
    stands([e["kind"] for e in audit].count("certificate") == 2, f"not both certificates are logged: {audit}")


def not_renewed(fleet):
    """The certificate has ended and nobody answers: the site runs, says why, and what to do."""
    fleet.end("north-edge")
    put_certificate(fleet, -90, -1)
    own = [str(peer(fleet) / name) for name in ("site.crt", "site.key")]
    stands(answer(fleet.port, fleet, *own) != CONNACK, "the broker lets an ended certificate in")
    fleet.end("broker")
    fleet.start_edge("north")
    within(40, "the failure is told", lambda: fleet.sync("north")["certificate"].get("problem"))
    certificate = fleet.sync("north")["certificate"]
    stands(certificate["state"] == "ended" and certificate["next"], f"{certificate}")
    shown = fleet.ctl("north", "sync", "--exit-zero")
    stands("ENDED" in shown and certificate["problem"][:20] in shown, shown)
    problems = json.loads(fleet.ctl("north", "status", "-o", "json", "--exit-zero"))["data"]["problems"]
    stands("sync.certificate_ended" in [p["code"] for p in problems], f"{problems}")
    fleet.ctl("north", "mode", "set", "observe", "--reason", "test", "--yes")
    fleet.ctl("north", "mode", "set", "auto", "--reason", "test", "--yes")
    metrics = fleet.ctl("north", "metrics")
    stands("twind_sync_renewal_failed 1" in metrics and "twind_sync_certificate_seconds -" in metrics, metrics[:600])
    fleet.end("north-edge")
    found = fleet.run("twind", "doctor", "--config", fleet.sites["north"] / "edge.yaml", check=False)
    stands("renewal" in found.stdout and found.returncode != 0, found.stdout)


def renewed_after_its_end(fleet):
    """The broker refuses the ended certificate; the listener for enrolment brings another, and what waited comes."""
    before = audit(fleet)
    old = serial(peer(fleet) / "site.crt")
    fleet.start_broker()
    fleet.start_edge("north")
    within(90, "what waited comes", lambda: audit(fleet) >= before + 2)
    fleet.current("north")
    stands(serial(peer(fleet) / "site.crt") != old, "the ended certificate is still there")
    codes = [p["code"] for p in json.loads(fleet.ctl("north", "status", "-o", "json", "--exit-zero"))["data"]["problems"]]
    stands("sync.certificate_ended" not in codes, f"{codes}")


def lost(fleet):
    """Certificate and key are gone: the site's own key is enough for others."""
    fleet.end("north-edge")
    for name in ("site.crt", "site.key"):
        (peer(fleet) / name).unlink()
    fleet.start_edge("north")
    within(60, "another pair is in use", lambda: (peer(fleet) / "site.crt").exists())
    fleet.current("north")


def bad_pair(fleet):
    """A renewed pair that the broker does not take: the old one has its turn, and the bad one goes."""
    fleet.end("north-edge")
    folder, old = peer(fleet), serial(peer(fleet) / "site.crt")
    for kind in ("crt", "key"):
        shutil.copy(fleet.work / f"foreign.{kind}", folder / f"next.{kind}")
    (folder / "next.key").chmod(0o600)
    fleet.start_edge("north")
    within(60, "the bad pair is gone", lambda: not (folder / "next.crt").exists())
    fleet.current("north")
    stands(serial(folder / "site.crt") == old, "the old pair did not stay")


def revoked_while_connected(fleet):
    """Row 50: from the revocation on nothing is taken; with the next start of the broker the session is over."""
    number, lists = serial(peer(fleet) / "site.crt"), fleet.state / "broker/crl.pem"
    was = lists.stat().st_ino
    before = audit(fleet)
    fleet.fleet("keys", "revoke", "acme.north", "--reason", "gateway stolen", "--yes")
    revoked = time.monotonic()
    # What twind-broker-crl.path waits for, and what its service does; Tests/System/units.sh looks at the units.
    stands(lists.stat().st_ino != was, "the list was not written")
    names = "".join(openssl("crl", "-noout", "-text", data=block) for block in blocks(lists.read_text()))
    stands(number in names, f"{number} is not on the list: {names}")
    # Still connected, as Debian's mosquitto 2.0.11 keeps a session over a reload: and not believed any more.
    fleet.ctl("north", "mode", "set", "observe", "--reason", "test", "--yes")
    fleet.ctl("north", "mode", "set", "auto", "--reason", "test", "--yes")
    time.sleep(3)
    stands(fleet.sync("north")["broker"]["state"] == "connected", "the session ended too early for this test")
    stands(audit(fleet) == before, f"entries of a revoked site were taken: {audit(fleet)}, there were {before}")
    fleet.end("broker")
    fleet.start_broker()
    within(60, "the session is over", lambda: fleet.sync("north")["broker"]["state"] == "down")
    within(40, "the foundation is back", lambda: fleet.fleet()["broker"]["state"] == "connected")
    own = [str(peer(fleet) / name) for name in ("site.crt", "site.key")]
    stands(answer(fleet.port, fleet, *own) != CONNACK, "the broker lets a revoked certificate in")
    stands(fleet.sync("north")["state"] == "offline", "a revoked site is connected")
    stands(time.monotonic() - revoked < 60, "it took longer than a minute")


def revoked_asks_for_more(fleet):
    """A revoked site gets no other certificate, is told so, and controls its plant."""
    fleet.end("north-edge")
    put_certificate(fleet, -90, -1)
    fleet.start_edge("north")
    within(60, "it is told", lambda: "revoked" in fleet.sync("north")["certificate"].get("problem", ""))
    stands("renewal refused" in fleet.log("foundation"), "the foundation does not say so")
    stands("revoked" in fleet.ctl("north", "sync", "--exit-zero"), "twinctl sync does not say so")
    status = json.loads(fleet.ctl("north", "status", "-o", "json", "--exit-zero"))["data"]
    stands(status["mode"] == "auto", f"{status['mode']}")


def audit(fleet):
    return next((s["next"] for s in fleet.site("north")["streams"] if s["stream"] == "audit"), 0)


def blocks(text):
    end = "-----END X509 CRL-----\n"
    return [part + end for part in text.split(end) if part.strip()]


STEPS = [
    strangers, renewed_before_its_end, not_renewed, renewed_after_its_end, lost, bad_pair,
    revoked_while_connected, revoked_asks_for_more,
]


def main():
    for program in (MOSQUITTO, shutil.which("openssl") or "openssl"):
        if not pathlib.Path(program).exists():
            print(f"fleet certificates: skipped, {program} is not here")
            return 77
    return run_steps("fleet certificates", BIN, STEPS)


sys.exit(main())
