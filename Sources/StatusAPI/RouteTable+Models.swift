extension RouteTable {
  static func models(_ source: any StatusSource) -> [Route] {
    let reads = [
      get("v1/models") { call throws(APIProblem) in try call.document(try await source.models()) },
      get("v1/models/*") { call throws(APIProblem) in try call.document(try await source.model(call.arguments[0])) },
      get("v1/models/*/history") { call throws(APIProblem) in
        try call.document(try await source.modelHistory(call.arguments[0]))
      },
    ]
    return reads
      + API.ModelVerb.allCases.map { verb in
        write("POST", "v1/models/*/\(verb.rawValue)") { call throws(APIProblem) in
          let request = try call.body(API.ModelRequest.self)
          try call.demand(reason: request.reason)
          return try call.document(try await source.change(model: call.arguments[0], verb, request, by: call.peer))
        }
      }
  }
}
