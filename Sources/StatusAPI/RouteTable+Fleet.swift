import TwinCore

extension RouteTable {
  static let auditMax = 1_000

  /// The paths of a foundation.
  static func fleet(_ source: any FleetSource) -> RouteTable {
    RouteTable(routes: fleetReads(source) + fleetWrites(source), header: { source.header })
  }

  private static func fleetReads(_ source: any FleetSource) -> [Route] {
    [
      get("v1/meta") { call throws(APIProblem) in try call.document(try await source.meta()) },
      get("v1/fleet") { call throws(APIProblem) in try call.document(try await source.fleet()) },
      get("v1/fleet/sites") { call throws(APIProblem) in try call.document(try await source.sites()) },
      get("v1/fleet/sites/*") { call throws(APIProblem) in
        try call.document(try await source.site(call.arguments[0]))
      },
      get("v1/fleet/sites/*/bundle") { call throws(APIProblem) in
        .response(Response(contentType: Response.octets, body: try await source.bundle(site: call.arguments[0])))
      },
      get("v1/fleet/keys") { call throws(APIProblem) in
        try call.document(try await source.keys(owner: call.request.parameter("owner")))
      },
      get("v1/fleet/log") { call throws(APIProblem) in
        try call.document(try await source.log(from: try call.size("from")))
      },
      get("v1/fleet/metadata") { call throws(APIProblem) in try call.document(try await source.metadata()) },
      get("v1/fleet/enrolments") { call throws(APIProblem) in try call.document(try await source.enrolments()) },
      get("v1/fleet/audit") { call throws(APIProblem) in
        let limit = try call.count("limit", default: 100, max: auditMax)
        let (site, after) = (call.request.parameter("site"), call.request.parameter("after"))
        return try call.document(try await source.audit(site: site, after: after, limit: limit))
      },
      get("metrics") { call throws(APIProblem) in
        .response(Response(contentType: Response.text, body: Array(try await source.metrics().utf8)))
      },
    ]
  }

  private static func fleetWrites(_ source: any FleetSource) -> [Route] {
    [
      write("POST", "v1/fleet/enrolments") { call throws(APIProblem) in
        try call.document(try await source.enrol(try call.body(API.EnrolmentRequest.self), by: call.peer))
      },
      write("POST", "v1/fleet/enrolments/answers") { call throws(APIProblem) in
        try call.document(try await source.answer(try call.body(API.EnrolmentFile.self), by: call.peer))
      },
      write("DELETE", "v1/fleet/enrolments/*") { call throws(APIProblem) in
        try call.document(try await source.withdrawEnrolment(call.arguments[0], by: call.peer))
      },
      write("POST", "v1/fleet/publications") { call throws(APIProblem) in
        let request = try call.body(API.PublishRequest.self)
        try call.demand(reason: request.reason)
        return try call.document(try await source.publish(request, by: call.peer))
      },
      write("POST", "v1/fleet/log/cosignatures") { call throws(APIProblem) in
        try call.document(try await source.cosign(try call.body(API.FleetCosignature.self), by: call.peer))
      },
      write("PUT", "v1/fleet/sites/*/quarantine") { call throws(APIProblem) in
        let request = try call.act()
        return try call.document(
          try await source.setQuarantine(call.arguments[0], request, isOn: true, by: call.peer))
      },
      write("POST", "v1/fleet/sites/*/release") { call throws(APIProblem) in
        let request = try call.act()
        return try call.document(
          try await source.setQuarantine(call.arguments[0], request, isOn: false, by: call.peer))
      },
      write("POST", "v1/fleet/sites/*/rekey") { call throws(APIProblem) in
        let request = try call.act()
        return try call.document(try await source.rekey(call.arguments[0], request, by: call.peer))
      },
      write("POST", "v1/fleet/keys/*/revoke") { call throws(APIProblem) in
        let request = try call.act()
        return try call.document(try await source.revokeKey(call.arguments[0], request, by: call.peer))
      },
    ]
  }
}

extension Call {
  /// Of a log, from 0 on.
  fileprivate func size(_ name: String) throws(APIProblem) -> UInt64 {
    guard let text = request.parameter(name) else { return 0 }
    guard let size = UInt64(text) else {
      throw .invalid("\(name)=\(text) is no size", cause: "wanted 0 or more", next: "ask for \(name)=0")
    }
    return size
  }

  fileprivate func act() throws(APIProblem) -> API.FleetActRequest {
    let request = try body(API.FleetActRequest.self)
    try demand(reason: request.reason)
    return request
  }
}
