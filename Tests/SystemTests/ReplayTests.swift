import FeatureStore
import Glibc
import StatusAPI
import Testing
import TwinCore

/// C sources that tests build into libraries to be preloaded.
private enum Shim {
  /// Every function of libm that a kernel might be tempted to use, wrong from the moment when the store is opened:
  /// whoever reads the pack before may still round. It leaves a mark then.
  static let mathematics = """
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <stdarg.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    static int wrong;
    static int opened(const char *path, int flags, int mode) {
      if (strstr(path, "/site.db") && !wrong) {
        wrong = 1;
        const char *sign = getenv("SHIM_MARK");
        if (sign) close(syscall(SYS_openat, AT_FDCWD, sign, O_CREAT | O_WRONLY, 0600));
      }
      return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    }
    #define OPEN(name) int name(const char *path, int flags, ...) { \
      va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
      return opened(path, flags, mode); }
    OPEN(open) OPEN(open64)
    #define WRONG1(name) double name(double x) { return x * 0.5 + 0.125; } \
      float name##f(float x) { return x * 0.5f + 0.125f; }
    #define WRONG2(name) double name(double x, double y) { return x * 0.5 + y; } \
      float name##f(float x, float y) { return x * 0.5f + y; }
    WRONG1(exp) WRONG1(exp2) WRONG1(expm1) WRONG1(log) WRONG1(log2) WRONG1(log10) WRONG1(log1p) WRONG1(sin) WRONG1(cos)
    WRONG1(tan) WRONG1(asin) WRONG1(acos) WRONG1(atan) WRONG1(sinh) WRONG1(cosh) WRONG1(tanh) WRONG1(cbrt)
    WRONG2(pow) WRONG2(fmod) WRONG2(remainder) WRONG2(atan2) WRONG2(hypot) WRONG2(fdim)
    static double cut(double x) { return x >= -9e15 && x <= 9e15 ? (double)(long long)x : x; }
    static double down(double x) { double t = cut(x); return t > x ? t - 1 : t; }
    static double away(double x) { return x < 0 ? -down(-x + 0.5) : down(x + 0.5); }
    static double even(double x) {
      double t = down(x + 0.5);
      return t - x == 0.5 && (long long)t % 2 != 0 ? t - 1 : t;
    }
    #define LATER(name, right) double name(double x) { return wrong ? x * 0.5 + 0.125 : right; }
    LATER(trunc, cut(x)) LATER(floor, down(x)) LATER(ceil, -down(-x)) LATER(round, away(x)) LATER(rint, even(x))
    LATER(nearbyint, even(x))
    """

  /// A wall clock that is off by the seconds that stand in a file; every other clock is the machine's.
  static let clock = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <time.h>
    int clock_gettime(clockid_t id, struct timespec *t) {
      static int (*real)(clockid_t, struct timespec *);
      if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
      int result = real(id, t);
      const char *path = getenv("SHIM_OFFSET");
      if (id == CLOCK_REALTIME && path) {
        long offset = 0;
        FILE *file = fopen(path, "r");
        if (file) { if (fscanf(file, "%ld", &offset) != 1) offset = 0; fclose(file); }
        t->tv_sec += offset;
      }
      return result;
    }
    """

  static func build(_ source: String, in place: Place) async throws -> String {
    try write(source, to: place.file("shim.c"))
    let (code, text) = try await place.run(
      "/usr/bin/cc", ["-shared", "-fPIC", "-O1", "-fno-builtin", "-o", place.file("shim.so"), place.file("shim.c")])
    try #require(code == 0, "\(text)")
    return place.file("shim.so")
  }
}

@Suite(.berthed) struct `The record` {
  /// The demonstration plant, which has physics, formulas and four policies.
  private func demo(_ place: Place) async throws -> (site: Site, plant: Program) {
    let site = try Site(place)
    try await site.copy(shipped: "demo")
    let plant = try Program(
      Place.programs + "/twind", ["plant", site.pack, "--port", "0", "--speed", "60"], log: place.file("plant.log"))
    let port = try #require(try await plant.line().split(separator: "port ").last?.split(separator: ",").first)
    try site.repair("devices.yaml", "port: 15020", "port: \(port)")
    try await site.sign()
    try site.configure()
    return (site, plant)
  }

  @Test func `kill -9 and restart: replay reproduces every fingerprint across it`() async throws {
    let place = try Place()
    let (site, plant) = try await demo(place)
    let seed = UInt64.random(in: 1...UInt64.max)
    var dice = seed
    for _ in 0..<5 {
      try await site.start()
      dice = dice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      try await Task.sleep(for: .milliseconds(300 + Int(dice >> 33) % 2500))
      site.kill()
    }
    try await site.start()
    try await until("a decision") { try !site.decisions().isEmpty }
    #expect(try !site.status().problems.contains { $0.code == "kernel.recovery" })
    let beside = try await site.replay()
    #expect(beside.code == 0, "seed \(seed), beside the daemon: \(beside.text)")
    #expect(try await site.stop() == 0)
    let (code, said) = try await site.replay()
    #expect(code == 0 && said.contains("every fingerprint came out again"), "seed \(seed): \(said)")
    #expect(!said.contains("gap"), "seed \(seed): \(said)")
    // Starts are in the log that was replayed, or nothing was crossed.
    let sessions = try StoreReader(directory: site.state).events(limit: 10_000).count { $0.kind == "session" }
    #expect(sessions >= 4, "seed \(seed)")

    let shim = try await Shim.build(Shim.mathematics, in: place)
    let mark = place.file("loaded")
    let otherwise = try await site.replay(environment: ["LD_PRELOAD": shim, "SHIM_MARK": mark])
    #expect(otherwise.code == 0 && otherwise.text.contains("every fingerprint"), "another libm: \(otherwise.text)")
    #expect(unsafe access(mark, F_OK) == 0, "the other libm was loaded")
    #expect(plant.isRunning)
  }

  @Test(arguments: [3600, -3600]) func `clock stepped by an hour`(step: Int) async throws {
    let place = try Place()
    let peer = try await Peer(place)
    let shim = try await Shim.build(Shim.clock, in: place)
    let offset = place.file("offset")
    try write("0", to: offset)
    let site = try await Site(place, SmallPack(port: peer.port, hard: "min: 5, max: 30, hold: 10min"))
    try await site.start(environment: ["LD_PRELOAD": shim, "SHIM_OFFSET": offset])
    try await peer.written(SmallPack.firstWish)
    try await site.settled("confirmed")
    let before = try #require(try site.point("room.wanted").value.at?.instant)
    try write("\(step)", to: offset)
    try await until("the step is seen") {
      let now = try #require(try site.point("room.wanted").value.at?.instant)
      return abs(now.nanoseconds(since: before)) > 1_800_000_000_000
    }
    try await peer.want(2600)
    try await site.pass(ticks: 40)
    // An hour more would have ended the rest; an hour less would have made the lease or the readings old.
    #expect(try await peer.writes().map(\.value) == [SmallPack.firstWish])
    let after = try site.status()
    #expect(after.leasesOpen == 1 && after.heldSafe == 0 && after.points.fresh == 4, "\(after)")
    let why = try #require(try site.why("unit.sp"))
    #expect(why.binding == "hold" || why.disposition == "permit", "\(why)")
    #expect(try await site.stop() == 0)
    #expect(try await site.replay().code == 0, "records went on")
  }
}
