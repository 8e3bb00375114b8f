import Glibc
import Seams
import Testing
import TwinCore

@testable import StatusAPI

@Suite("The status socket", .serialized, .timeLimit(.minutes(2)))
struct ServerTests {
  private static let close = "Connection: close\r\n\r\n"

  @Test("answers every read")
  func reads() async throws {
    try await withServer { path throws in
      let client = StatusClient(socketPath: path, timeoutMs: patienceMs)
      let status = try client.get("/v1/status", as: API.Status.self)
      #expect(status.document.site == "lyon-01")
      #expect(status.document.utcOffsetS == 3600)
      #expect(status.data.state == "well")
      #expect(try client.get("/v1/meta", as: API.Meta.self).data.apiMax == 1)
      #expect(try client.get("/v1/devices", as: API.Devices.self).data.devices.count == 1)
      #expect(try client.get("/v1/devices/chiller-1", as: API.Device.self).data.id == "chiller-1")
      #expect(try client.get("/v1/points?match=chiller-1.*", as: API.Points.self).data.points.count == 1)
      #expect(try client.get("/v1/points?match=x", as: API.Points.self).data.points.isEmpty)
      #expect(try client.get("/v1/points/\(StubSource.point)", as: API.Point.self).data.ref == 40031)
      #expect(try client.get("/v1/points/\(StubSource.point)/history?limit=1", as: API.History.self).data.truncated)
      #expect(try client.get("/v1/points/\(StubSource.point)/why", as: API.Decision.self).data.id == "d-7f3a91")
      #expect(try client.get("/v1/decisions/d-1", as: API.Decision.self).data.id == "d-1")
      #expect(try client.get("/v1/decisions", as: API.Decisions.self).data.decisions.count == 1)
      #expect(try client.get("/v1/envelopes/e", as: API.Envelope.self).data.min == 5.5)
      #expect(try client.get("/v1/envelopes", as: API.Envelopes.self).data.envelopes.count == 1)
      #expect(try client.get("/v1/overrides", as: API.Overrides.self).data.overrides.isEmpty)
      #expect(try client.get("/v1/mode", as: API.ModeState.self).data.mode == "auto")
      #expect(try client.get("/v1/alarms", as: API.Alarms.self).data.alarms.isEmpty)
      #expect(try client.get("/v1/models", as: API.Models.self).data.models == [StubSource.glance])
      #expect(try client.get("/v1/models/hall-a", as: API.Model.self).data.glance.version == 3)
      #expect(try client.get("/v1/models/hall-a/history", as: API.ModelHistory.self).data.days.count == 1)
      let metrics = try raw(path, "GET /metrics HTTP/1.1\r\nHost: twind\r\n" + Self.close)
      #expect(metrics.hasSuffix("\r\n\r\ntwind_up 1\n"))
    }
  }

  @Test(
    "says what is wrong with a request",
    arguments: [
      ("GET /v1/stauts HTTP/1.1\r\nHost: twind\r\n", 404, "api.path", "did you mean /v1/status?"),
      ("GET /v1/devices/chiler-1 HTTP/1.1\r\nHost: twind\r\n", 404, "api.not_found", "did you mean chiller-1?"),
      ("POST /v1/status HTTP/1.1\r\nHost: twind\r\n", 405, "api.method", "Allow: GET"),
      ("GET /v1/points/x/history?limit=0 HTTP/1.1\r\nHost: twind\r\n", 400, "api.invalid", "1 to 10000"),
      ("GET /v1/points/x/history?since=now HTTP/1.1\r\nHost: twind\r\n", 400, "api.invalid", "RFC 3339"),
      ("GET /v1/%zz HTTP/1.1\r\nHost: twind\r\n", 400, "api.malformed", "percent-encoded"),
      ("GET /v1/events HTTP/1.1\r\nHost: twind\r\nLast-Event-ID: x\r\n", 400, "api.invalid", "Last-Event-ID"),
      ("GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n", 403, "api.browser", "evil.example"),
      ("GET /v1/status HTTP/1.1\r\nHost: twind\r\nOrigin: http://x\r\n", 403, "api.browser", "origin"),
      ("GET /v1/status HTTP/1.1\r\nHost: twind\r\nReferer: http://x\r\n", 403, "api.browser", "referer"),
      ("PUT /v1/mode HTTP/1.1\r\nHost: twind\r\nContent-Length: 2\r\n", 400, "api.body", "mode is missing"),
      ("GET /v1/status HTTP/1.1\r\nHost: twind\r\nContent-Length: 9999999\r\n", 413, "api.too_large", "1048576"),
      ("this is no HTTP\r\n", 400, "api.malformed", "twinctl"),
      ("GET /v1/status HTTP/1.1\r\nX: {17 kB}\r\n", 431, "api.too_large", "16384"),
      ("GET /{17 kB} HTTP/1.1\r\n", 431, "api.too_large", "16384"),
    ])
  func problems(head: String, status: Int, code: String, says: String) async throws {
    try await withServer { path throws in
      // Written out here and not in the table, which a failure prints.
      let parts = head.split(separator: "{17 kB}", omittingEmptySubsequences: false)
      let head = parts.joined(separator: String(repeating: "x", count: 17_000))
      let answer = try raw(path, head + Self.close + (head.hasPrefix("PUT") ? "{}" : ""))
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
      #expect(answer.contains(#""code":"\#(code)""#), "\(answer)")
      #expect(answer.contains(says), "\(answer)")
      #expect(answer.contains("application/problem+json"))
    }
  }

  @Test("a body without a declared length is bounded too")
  func chunkedBody() async throws {
    try await withServer { path throws in
      let chunk = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
      let answer = try raw(
        path,
        "PUT /v1/mode HTTP/1.1\r\nHost: twind\r\nTransfer-Encoding: chunked\r\n\r\n"
          + String(repeating: chunk, count: 17))
      #expect(answer.hasPrefix("HTTP/1.1 413 "))
    }
  }

  @Test("an answer larger than the socket takes at once comes whole before the connection is closed")
  func large() async throws {
    let lines = 400_000
    try await withServer(StubSource(metricsLines: lines)) { path throws in
      let metrics = try raw(path, "GET /metrics HTTP/1.1\r\nHost: twind\r\n" + Self.close)
      #expect(metrics.utf8.count > 11 * lines)
    }
  }

  @Test("pipelined requests are answered in their order")
  func pipelined() async throws {
    try await withServer(StubSource(statusMs: 100)) { path throws in
      let first = "GET /v1/status HTTP/1.1\r\nHost: twind\r\n\r\n"
      let answer = try raw(
        path,
        first + "GET /v1/mode HTTP/1.1\r\nHost: twind\r\n\r\n" + "GET /v1/meta HTTP/1.1\r\nHost: twind\r\n" + Self.close
      )
      let kinds = answer.split(separator: "\"kind\":\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
      #expect(kinds == ["Status", "ModeState", "Meta"])
    }
  }

  @Test(
    "a request that does not come is not waited for",
    arguments: ["", "GET /v1/status HT", "PUT /v1/mode HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"])
  func slow(begin: String) async throws {
    var limits = StatusServer.Limits()
    (limits.headSeconds, limits.bodySeconds) = (1, 1)
    try await withServer(limits: limits) { path throws in
      #expect(try raw(path, begin).hasPrefix("HTTP/1.1 408 "))
    }
  }

  @Test("an idle connection is closed without a word")
  func idle() async throws {
    var limits = StatusServer.Limits()
    limits.idleSeconds = 1
    try await withServer(limits: limits) { path throws in
      let answer = try raw(path, "GET /v1/meta HTTP/1.1\r\nHost: twind\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 200 "))
      #expect(!answer.contains("408"))
    }
  }

  @Test("one connection too many is told so, and room is made again")
  func tooMany() async throws {
    var limits = StatusServer.Limits()
    limits.connections = 2
    try await withServer(limits: limits) { path throws in
      do {
        let first = try ClientSocket(path, timeoutMs: patienceMs)
        let second = try ClientSocket(path, timeoutMs: patienceMs)
        for _ in 0..<2 {
          try first.send(Array("GET /v1/meta HTTP/1.1\r\nHost: twind\r\n\r\n".utf8))
          #expect(!(try first.receive()).isEmpty)
          try second.send(Array("GET /v1/meta HTTP/1.1\r\nHost: twind\r\n\r\n".utf8))
          #expect(!(try second.receive()).isEmpty)
        }
        #expect(try raw(path, "").hasPrefix("HTTP/1.1 503 "))
      }
      // The two are closed now; the server learns of it a little later.
      var last: APIProblem?
      for _ in 0..<100 {
        do throws(APIProblem) {
          _ = try StatusClient(socketPath: path, timeoutMs: patienceMs).get("/v1/meta", as: API.Meta.self)
          last = nil
          break
        } catch {
          last = error
          usleep(20_000)
        }
      }
      #expect(last == nil)
    }
  }

  @Test("a refusal keeps its reason and the nearest value")
  func refusal() async throws {
    try await withServer { path throws in
      let error = #expect(throws: APIProblem.self) {
        try StatusClient(socketPath: path, timeoutMs: patienceMs).send(
          "PUT", "/v1/overrides/\(StubSource.point)",
          body: API.OverrideRequest(value: 4, forS: 7200, reason: "hot spot"),
          as: API.Written.self)
      }
      #expect(error?.isRefusal == true)
      #expect(error?.code == "envelope.out_of_range")
      #expect(error?.nearest == "5.5")
    }
  }

  @Test(
    "a write needs a reason and a span",
    arguments: [
      (" ", 60), ("why", 0), ("why", 8 * 86_400), ("500 bytes and one more", 60),
    ] as [(String, Double)])
  func demands(reason: String, forS: Double) async throws {
    let source = StubSource()
    try await withServer(source) { path throws in
      let reason = reason == "500 bytes and one more" ? String(repeating: "x", count: 501) : reason
      let error = #expect(throws: APIProblem.self) {
        try StatusClient(socketPath: path, timeoutMs: patienceMs).send(
          "PUT", "/v1/overrides/\(StubSource.point)", body: API.OverrideRequest(value: 6, forS: forS, reason: reason),
          as: API.Written.self)
      }
      #expect(error?.code == "api.invalid")
    }
    #expect(source.written.isEmpty)
  }

  @Test("the same key writes once")
  func idempotency() async throws {
    let source = StubSource()
    try await withServer(source) { path throws in
      let client = StatusClient(socketPath: path, timeoutMs: patienceMs)
      func put(_ key: String?, _ value: Double) throws -> String {
        try client.send(
          "PUT", "/v1/overrides/\(StubSource.point)", body: API.OverrideRequest(value: value, forS: 60, reason: "test"),
          key: key, as: API.Written.self
        ).data.decision
      }
      #expect(try put("k1", 6) == "d-1")
      #expect(try put("k1", 6) == "d-1")
      #expect(try put("k2", 6) == "d-2")
      #expect(try put(nil, 6) == "d-3")
      let error = #expect(throws: APIProblem.self) { try put("k1", 7) }
      #expect(error?.code == "api.idempotency_reused")
    }
    #expect(source.written.count == 3)
  }

  @Test("a watcher gets live events, resumes after a break, and hears heartbeats")
  func events() async throws {
    let source = StubSource()
    var limits = StatusServer.Limits()
    limits.heartbeatSeconds = 1
    try await withServer(source, limits: limits) { path throws in
      let client = StatusClient(socketPath: path, timeoutMs: patienceMs)
      func publish(_ text: String) -> UInt64 {
        source.hub.publish(API.Event(kind: "value", at: StubSource.at, point: StubSource.point, text: text))
      }
      let first = publish("one")
      _ = publish("two")
      var seen: [String] = []
      var heartbeats = 0
      try client.events(points: ["chiller-1.*"], kinds: ["value"], since: first) { event throws(APIProblem) in
        guard let event else {
          heartbeats += 1
          if heartbeats == 1 { _ = publish("three") }
          return true
        }
        seen.append(event.text ?? "")
        return seen.count < 2
      }
      #expect(seen == ["two", "three"])
      #expect(heartbeats >= 1)
    }
  }

  @Test("a watcher that does not read loses events, and the publisher does not wait for it")
  func slowWatcher() async throws {
    let source = StubSource()
    try await withServer(source) { path throws in
      let socket = try ClientSocket(path, timeoutMs: patienceMs)
      try socket.send(Array("GET /v1/events HTTP/1.1\r\nHost: twind\r\n\r\n".utf8))
      var reader = ResponseReader()
      let head = try reader.head(from: socket)
      #expect(head.isChunked)
      // Far more than the socket's buffers and the queue hold together.
      let padding = String(repeating: "x", count: 4000)
      for number in 0..<3000 {
        source.hub.publish(API.Event(kind: "value", at: StubSource.at, ref: "\(number)", text: padding))
      }
      var parser = EventParser()
      var events: [API.Event] = []
      while events.last?.ref != "2999", let bytes = try reader.some(head, from: socket, silenceMs: nil) {
        events += try parser.feed(bytes).compactMap { $0 }
      }
      let dropped = events.compactMap(\.dropped).reduce(0, +)
      #expect(dropped > 0)
      #expect(events.filter { $0.kind == "value" }.count + dropped == 3000)
      #expect(events.compactMap(\.id) == events.compactMap(\.id).sorted())
    }
  }

  @Test("ends cleanly while clients are still coming in")
  func stopsWhileAccepting() async throws {
    try await withDirectory { directory in
      let path = directory + "/s"
      for _ in 0..<40 {
        let server = StatusServer(socketPath: path, operatorGroup: nil, source: StubSource(), clock: SystemClock())
        let (listening, ready) = AsyncStream.makeStream(of: Never.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await server.run { ready.finish() } }
          for await _ in listening {}
          for _ in 0..<20 {
            let socket = try ClientSocket(path, timeoutMs: patienceMs)
            try socket.send(Array("GET /v1/meta HTTP/1.1\r\nHost: twind\r\n\r\n".utf8))
          }
          group.cancelAll()
          try await group.waitForAll()
        }
      }
    }
  }

  @Test("an open stream does not hold up the end of the server")
  func stopsWithReaders() async throws {
    try await withDirectory { directory in
      let path = directory + "/s"
      var open: ClientSocket?
      let server = StatusServer(socketPath: path, operatorGroup: nil, source: StubSource(), clock: SystemClock())
      let (listening, ready) = AsyncStream.makeStream(of: Never.self)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run { ready.finish() } }
        for await _ in listening {}
        let socket = try ClientSocket(path, timeoutMs: patienceMs)
        try socket.send(Array("GET /v1/events HTTP/1.1\r\nHost: twind\r\n\r\n".utf8))
        // The first bytes of the answer say that the stream stands.
        #expect(!(try socket.receive()).isEmpty)
        open = consume socket
        group.cancelAll()
        try await group.waitForAll()
      }
      _ = consume open
    }
  }
}

@Suite("The socket's file", .serialized, .timeLimit(.minutes(2)))
struct SocketFileTests {
  private func mode(_ path: String) -> mode_t {
    var info = stat()
    return unsafe lstat(path, &info) == 0 ? info.st_mode & 0o7777 : 0
  }

  @Test("is 0660 in a 0750 directory, whatever the umask", arguments: [0, 0o077] as [mode_t])
  func modes(mask: mode_t) async throws {
    try await withDirectory { directory in
      let path = directory + "/run/s"
      let before = umask(mask)
      let bound = try BoundSocket.open(path)
      umask(before)
      #expect(mode(path) == 0o660)
      #expect(mode(directory + "/run") == 0o750 & ~mask)
      #expect(mode(path + ".lock") == 0o600)
      close(bound.socket)
      bound.release()
      #expect(mode(path) == 0)
      unsafe unlink(path + ".lock")
      unsafe rmdir(directory + "/run")
    }
  }

  @Test("of a living daemon is not taken, and that daemon goes on")
  func twoDaemons() async throws {
    try await withServer { path throws in
      let error = #expect(throws: APIProblem.self) { try BoundSocket.open(path) }
      #expect(error?.code == "api.socket_in_use")
      #expect(
        try StatusClient(socketPath: path, timeoutMs: patienceMs).get("/v1/meta", as: API.Meta.self).data.site
          == "lyon-01")
    }
  }

  @Test("of another program that answers is not taken, even without a lock")
  func foreign() async throws {
    try await withServer { path throws in
      unsafe unlink(path + ".lock")
      let error = #expect(throws: APIProblem.self) { try BoundSocket.open(path) }
      #expect(error?.code == "api.socket_in_use")
    }
  }

  @Test("of a dead daemon is replaced")
  func stale() async throws {
    try await withDirectory { directory in
      let path = directory + "/s"
      let dead = try BoundSocket.open(path)
      close(dead.socket)
      // As after a kill: the file stays, the lock goes with the process. The lock's descriptor is the next one here.
      let error = #expect(throws: APIProblem.self) {
        try StatusClient(socketPath: path, timeoutMs: patienceMs).get("/v1/meta", as: API.Meta.self)
      }
      #expect(error?.code == "api.crashed")
      unsafe unlink(path + ".lock")
      try await withServer(at: path) { path throws in
        _ = try StatusClient(socketPath: path, timeoutMs: patienceMs).get("/v1/meta", as: API.Meta.self)
      }
      dead.release()
    }
  }

  @Test("is not put where something else lies or where others may write")
  func refused() async throws {
    try await withDirectory { directory in
      let path = directory + "/s"
      close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
      #expect(throws: APIProblem.self) { try BoundSocket.open(path) }
      #expect(mode(path) == 0o600)
      unsafe unlink(path)
      unsafe chmod(directory, 0o777)
      let error = #expect(throws: APIProblem.self) { try BoundSocket.open(path) }
      #expect(error?.code == "api.socket_directory")
      let long = #expect(throws: APIProblem.self) { try BoundSocket.open("/" + String(repeating: "x", count: 108)) }
      #expect(long?.code == "api.socket_path")
    }
  }

  @Test(
    "tells not running, crashed and not permitted apart",
    arguments: [
      (ENOENT, "api.not_running"), (ECONNREFUSED, "api.crashed"), (EACCES, "api.socket_denied"),
      (EAGAIN, "api.timeout"),
      (EMFILE, "api.unreachable"),
    ])
  func unreachable(code: Int32, expected: String) {
    #expect(ClientSocket.unreachable("/run/twind/status.sock", code).code == expected)
  }

  static let isRoot = geteuid() == 0

  @Test(
    "outsiders cannot connect, readers read, operators write", .enabled(if: isRoot, "needs root to become three users"))
  func threeUsers() async throws {
    let (reader, operators): (UInt32, UInt32) = (61_010, 61_020)
    let source = StubSource()
    try await withDirectory { directory in
      unsafe chown(directory, 0, reader)
      // The set-group bit gives the socket the group of its directory, as RuntimeDirectory= and Group= do.
      unsafe chmod(directory, 0o2750)
      let path = directory + "/s"
      try await withServer(at: path, source, operatorGroup: operators) { path throws in
        func curl(_ uid: UInt32, _ groups: [UInt32], _ arguments: String) throws -> (output: String, status: Int32) {
          let list = groups.isEmpty ? "--clear-groups" : "--groups " + groups.map(String.init).joined(separator: ",")
          return try shell(
            "setpriv --reuid \(uid) --regid \(uid) \(list) curl -s -w '%{http_code}' --unix-socket \(path) \(arguments)"
          )
        }
        let put =
          "-X PUT -d '{\"value\":6,\"for_s\":60,\"reason\":\"test\"}' http://twind/v1/overrides/\(StubSource.point)"
        #expect(try curl(61_001, [], "http://twind/v1/meta").status == 7)
        #expect(try curl(61_002, [reader], "http://twind/v1/meta").output.hasSuffix("200"))
        let refused = try curl(61_002, [reader], put).output
        #expect(refused.hasSuffix("403"))
        #expect(refused.contains("api.not_permitted"))
        #expect(source.written.isEmpty)
        #expect(try curl(61_003, [reader, operators], put).output.hasSuffix("200"))
      }
    }
    #expect(source.written == ["\(StubSource.point)=6.0 by 61003"])
  }

  @Test(
    "writers are root, the daemon's user and the operators",
    arguments: [
      (0, 5, [], 985, true), (998, 5, [], 985, true), (1000, 5, [985], 985, true), (1000, 985, [], 985, true),
      (1000, 5, [1, 2], 985, false), (1000, 985, [985], nil, false), (998, 5, [], nil, true),
    ] as [(UInt32, UInt32, [UInt32], UInt32?, Bool)])
  func writers(uid: UInt32, gid: UInt32, groups: [UInt32], operators: UInt32?, expected: Bool) {
    #expect(Peer(uid: uid, gid: gid, pid: 1, groups: groups).mayWrite(operators: operators, daemon: 998) == expected)
  }
}
