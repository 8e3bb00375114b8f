import Seams
import Testing
import TwinCore

@testable import StatusAPI

@Suite("Models on the socket", .serialized, .timeLimit(.minutes(2)))
struct ModelTests {
  @Test("what is written is read back the same; what was not scored has no figures")
  func roundTrip() async throws {
    let source = StubSource()
    let models = try await source.models()
    let bytes = try APIJSON.encode(models)
    #expect(try APIJSON.decode(API.Models.self, from: bytes) == models)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.contains(#""persistence_rmse":0.094"#))
    #expect(text.contains(#"{"count":0,"horizon_s":21600,"output":"zone","point":"hall-a.zone_t","unit":"K"}"#))
    let model = try await source.model("hall-a")
    #expect(try APIJSON.decode(API.Model.self, from: APIJSON.encode(model)) == model)
    let history = try await source.modelHistory("hall-a")
    #expect(try APIJSON.decode(API.ModelHistory.self, from: APIJSON.encode(history)) == history)
  }

  @Test("every verb has its path, writes once for one key, and wants a reason", arguments: API.ModelVerb.allCases)
  func writes(verb: API.ModelVerb) async throws {
    let source = StubSource()
    try await withServer(source) { path throws in
      let client = StatusClient(socketPath: path, timeoutMs: patienceMs)
      func post(_ key: String?, _ reason: String) throws -> String {
        try client.send(
          "POST", "/v1/models/hall-a/\(verb.rawValue)", body: API.ModelRequest(reason: reason), key: key,
          as: API.Written.self
        ).data.decision
      }
      #expect(try post("k1", "test") == "tick 1")
      #expect(try post("k1", "test") == "tick 1")
      #expect(#expect(throws: APIProblem.self) { try post(nil, " ") }?.code == "api.invalid")
      #expect(#expect(throws: APIProblem.self) { try post("k1", "other") }?.code == "api.idempotency_reused")
      #expect(throws: APIProblem.self) { try client.get("/v1/models/hall-a/\(verb.rawValue)", as: API.Written.self) }
    }
    #expect(source.written == ["\(verb.rawValue) hall-a: test"])
  }

  @Test("what may be written is for operators alone")
  func permits() {
    let routes = RouteTable.site(StubSource()).routes.filter { $0.path.dropFirst().first == "models" }
    #expect(routes.count == 3 + API.ModelVerb.allCases.count)
    for route in routes { #expect(route.permit == (route.method == "GET" ? .read : .write), "\(route.path)") }
  }

  @Test("an unknown model or verb is told what there is", arguments: ["/v1/models/hal-a", "/v1/models/hall-a/destroy"])
  func unknown(path: String) async throws {
    try await withServer { socket throws in
      let error = #expect(throws: APIProblem.self) {
        try StatusClient(socketPath: socket, timeoutMs: patienceMs).get(path, as: API.Model.self)
      }
      #expect(error?.status == 404)
      #expect(error?.next.isEmpty == false)
    }
  }
}
