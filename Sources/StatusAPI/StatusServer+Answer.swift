import Glibc
import NIOHTTP1
import Seams
import TwinCore

extension StatusServer {
  /// The answer to one request; every problem becomes a response.
  func answer(_ request: Request, from peer: Peer?) async -> Reply {
    do {
      try Self.refuseBrowsers(request)
      let (route, arguments): (Route, [String])
      switch table.find(request) {
      case .success(let found): (route, arguments) = found
      case .failure(let rejection): return .response(Response(rejection.problem, allow: rejection.allow))
      }
      let unknown = Peer(uid: .max, gid: .max, pid: 0, groups: [])
      let peer = route.permit == .write ? (peer ?? unknown).named() : peer ?? unknown
      let call = Call(
        request: request, arguments: arguments, peer: peer, now: clock.instant, header: table.header)
      guard route.permit == .write else { return try await within(route, call) }
      try permitWrite(peer)
      return try await write(route, call)
    } catch {
      return .response(Response(error))
    }
  }

  /// A page in somebody's browser may be made to send requests here (DNS rebinding, a forwarded port); tools send
  /// none of these.
  private static func refuseBrowsers(_ request: Request) throws(APIProblem) {
    func refuse(_ cause: String) -> APIProblem {
      APIProblem(
        status: 403, code: "api.browser", title: "this socket does not talk to browsers", cause: cause,
        next: "use twinctl, or curl --unix-socket with http://twind/…")
    }
    for name in ["origin", "referer", "sec-fetch-site"] where request.headers.contains(name: name) {
      throw refuse("the request carries \(name)")
    }
    let hosts = request.headers[canonicalForm: "host"]
    for host in hosts {
      let name = host.split(separator: ":", omittingEmptySubsequences: false).first ?? ""
      guard name == "twind" || name == "localhost" else { throw refuse("the request is for host \(host)") }
    }
  }

  private func permitWrite(_ peer: Peer) throws(APIProblem) {
    guard !peer.mayWrite(operators: operatorGroup, daemon: geteuid()) else { return }
    let next =
      operatorGroup.map { "have \(peer.name) added to group \($0) (usermod -aG), then log in again" }
      ?? "have the operators' group set in the daemon's configuration, or use sudo"
    throw APIProblem(
      status: 403, code: "api.not_permitted", title: "writing needs the operators' group",
      cause: "\(peer.name) (uid \(peer.uid)) is neither root, nor the daemon's user, nor an operator",
      effect: "nothing was changed", next: next)
  }

  private func write(_ route: Route, _ call: Call) async throws(APIProblem) -> Reply {
    guard let text = call.request.headers.first(name: "idempotency-key") else { return try await within(route, call) }
    guard !text.isEmpty, text.utf8.count <= IdempotencyCache.keyBytesMax else {
      throw .invalid(
        "Idempotency-Key is too long", cause: "wanted 1 to \(IdempotencyCache.keyBytesMax) bytes", next: "send a UUID")
    }
    let key = IdempotencyCache.Key(
      uid: call.peer.uid, method: call.request.method, path: call.request.path, key: text)
    switch idempotency.begin(key, body: call.request.body, at: clock.uptime) {
    case .answered(let response): return .response(response)
    case .running:
      throw APIProblem(
        status: 503, code: "api.busy", title: "the same write is still being done", next: "ask again with the same key")
    case .reused:
      throw APIProblem(
        status: 422, code: "api.idempotency_reused", title: "this Idempotency-Key came with another body before",
        effect: "nothing was changed", next: "use a new key for a new write")
    case .new: break
    }
    let response: Response
    do {
      guard case .response(let answer) = try await within(route, call) else { preconditionFailure("a write streams") }
      response = answer
    } catch {
      response = Response(error)
    }
    idempotency.finish(key, response)
    return .response(response)
  }

  /// Runs the handler against its deadline. The source honours cancellation, so that the loser of the race ends soon.
  private func within(_ route: Route, _ call: Call) async throws(APIProblem) -> Reply {
    let deadline = clock.uptime.advanced(byNanoseconds: route.seconds * 1_000_000_000)
    let clock = clock
    let result = await withTaskGroup(of: Result<Reply, APIProblem>.self) { group in
      group.addTask {
        do throws(APIProblem) {
          return .success(try await route.handle(call))
        } catch {
          return .failure(error)
        }
      }
      group.addTask {
        await clock.sleep(until: deadline)
        return .failure(
          APIProblem(
            status: 504, code: "api.timeout", title: "no answer within \(route.seconds) s",
            effect: call.request.method == "GET" ? nil : "it is not known whether anything was changed",
            next: "look at twinctl status, then try again"))
      }
      defer { group.cancelAll() }
      return await group.next()!
    }
    return try result.get()
  }
}
