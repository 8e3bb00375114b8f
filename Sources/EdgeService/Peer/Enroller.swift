import DeltaLog
import Glibc
import MQTT
import Provenance
public import Seams
import Sodium
public import Sync
import TwinCore
import X509

/// Makes a site somebody's peer, once: `ask` gives the request, `finish` takes the reply. What lies between may be a
/// broker (`enrol`) or a stick.
///
/// Safe to repeat at any point: keys are made once, and a reply to an older request is refused. Blocking.
public struct Enroller {
  let folder: PeerFolder
  public let token: EnrolmentToken
  private let clock: any SiteClock

  public init(state: String, token: EnrolmentToken, clock: any SiteClock = SystemClock()) {
    (folder, self.token, self.clock) = (PeerFolder(state: state), token, clock)
  }

  /// The request of this site; the same until it is answered.
  public func ask() throws(EdgeFault) -> [UInt8] {
    do throws(ProvenanceFault) {
      if let present = try folder.enrolment() {
        throw ProvenanceFault(
          .enrolled, path: folder.path,
          "this gateway is enrolled already, as \(present.site) with \(present.foundation)",
          remedy: "to enrol it anew, move \(folder.path) away first; its log goes with it")
      }
      try PrivateFile.makeDirectory(folder.path)
      return try request()
    } catch {
      throw EdgeFault(error)
    }
  }

  private func request() throws(ProvenanceFault) -> [UInt8] {
    let identity: SiteIdentity
    if let kept = try SiteIdentity.open(directory: folder.path) {
      identity = kept
    } else {
      identity = try SiteIdentity.make(directory: folder.path)
    }
    if let asked = folder.bytes(PeerFolder.askedName, max: EnrolmentRequest.bytesMax),
      (try? EnrolmentRequest(asked, secret: token.secret))?.tokenID == token.id
    {
      return asked
    }
    let request = EnrolmentRequest(
      tokenID: token.id, site: token.site, signing: identity.signing.publicKey,
      sealing: identity.sealing.publicKey.bytes, certificateRequest: try certificateRequest(),
      nonce: Sodium.randomBytes(EnrolmentRequest.nonceBytes), hardware: Self.hardware, epoch: try epoch(identity))
    let bytes = request.sealed(secret: token.secret, by: identity.signing)
    try folder.write(bytes, PeerFolder.askedName)
    return bytes
  }

  private func certificateRequest() throws(ProvenanceFault) -> String {
    let key = try tlsKey()
    let site = token.site.description
    return try tls { () throws(X509Fault) in
      String(decoding: try SigningRequest(commonName: site, key: key).pem(), as: UTF8.self)
    }
  }

  /// Made on the first call.
  private func tlsKey() throws(ProvenanceFault) -> PrivateKey {
    if let pem = folder.bytes(PeerFolder.keyName, max: 4 << 10) {
      return try tls { () throws(X509Fault) in try PrivateKey(pem: pem) }
    }
    let key = try tls { () throws(X509Fault) in try PrivateKey() }
    var pem = try tls { () throws(X509Fault) in try key.pem() }
    defer { Sodium.wipe(&pem) }
    try folder.write(pem, PeerFolder.keyName)
    return key
  }

  private func tls<Result: ~Copyable>(_ body: () throws(X509Fault) -> Result) throws(ProvenanceFault) -> Result {
    do throws(X509Fault) {
      return try body()
    } catch {
      throw ProvenanceFault(.keyMalformed, path: folder.path, error.message, remedy: error.remedy)
    }
  }

  /// The log exists from the beginning on, so that its first epoch is part of the enrolment.
  private func epoch(_ identity: borrowing SiteIdentity) throws(ProvenanceFault) -> LogEpoch {
    do throws(DeltaLogFault) {
      return try DeltaLog(
        file: folder.logFile, site: token.site, boot: Sodium.randomBytes(LogEntry.bootBytes),
        keyEpoch: identity.keyEpoch, clock: clock
      ).epoch
    } catch {
      throw ProvenanceFault(.io, path: folder.logFile, error.message, remedy: error.remedy)
    }
  }

  /// Asks over the broker's listener for enrolment, and waits for the answer up to `timeoutS` seconds.
  public func enrol(timeoutS: Int64 = 60) async throws(EdgeFault) -> EnrolmentReply {
    let request = try ask()
    let authority = "\(folder.path)/enrol-authority.crt"
    do throws(ProvenanceFault) {
      try folder.write(Array(token.authority.utf8), "enrol-authority.crt", mode: 0o644)
    } catch {
      throw EdgeFault(error)
    }
    defer { folder.remove("enrol-authority.crt") }
    let (events, put) = AsyncStream<MessageEvent>.makeStream(bufferingPolicy: .bufferingNewest(64))
    let link = BrokerLink(
      BrokerSettings(
        address: BrokerAddress(host: token.host, port: token.port),
        credentials: BrokerCredentials(authoritiesOnly: authority), clientID: "enrol-\(token.idText)")
    ) { put.yield($0) }
    defer { link.close() }
    let clock = clock
    let reply: Result<[UInt8], EdgeFault> = await withTaskGroup(of: Result<[UInt8], EdgeFault>.self) { group in
      group.addTask { [token] in await Self.exchange(request, token, over: link, events) }
      group.addTask {
        await clock.sleep(until: clock.uptime.advanced(byNanoseconds: timeoutS * 1_000_000_000))
        return .failure(
          EdgeFault(
            "enrol_unanswered", "no answer within \(timeoutS) s",
            remedy: "check that the foundation runs and that the token is still open: twinctl fleet enrol list"))
      }
      defer {
        group.cancelAll()
        put.finish()
      }
      return await group.next()!
    }
    return try finish(try reply.get())
  }

  private static func exchange(
    _ request: [UInt8], _ token: EnrolmentToken, over link: BrokerLink, _ events: AsyncStream<MessageEvent>
  ) async -> Result<[UInt8], EdgeFault> {
    let (ask, answer) = (SyncTopic.enrolRequest(token: token.idText), SyncTopic.enrolAnswer(token: token.idText))
    do throws(MessageFault) {
      try link.connect(will: nil)
      for await event in events {
        switch event {
        case .connected: _ = try link.subscribe(answer.description)
        case .subscribed: _ = try link.publish(OutgoingMessage(topic: ask.description, payload: request))
        case .received(let message) where message.topic == answer.description: return .success(message.payload)
        case .disconnected(let fault): return .failure(EdgeFault(fault))
        case .published, .received: break
        }
      }
      return .failure(EdgeFault("enrol_unanswered", "the broker fell silent", remedy: "try again"))
    } catch {
      return .failure(EdgeFault(error))
    }
  }

  /// Keeps the reply, if it is to the last request and everything in it fits; `enrolment` is written last.
  @discardableResult
  public func finish(_ reply: [UInt8]) throws(EdgeFault) -> EnrolmentReply {
    do throws(ProvenanceFault) {
      guard let asked = folder.bytes(PeerFolder.askedName, max: EnrolmentRequest.bytesMax) else {
        throw ProvenanceFault(
          .enrolmentForeign, path: folder.path, "nothing was asked with this token on this gateway",
          remedy: "make the request first: twind enrol TOKEN --request FILE")
      }
      let request = try EnrolmentRequest(asked, secret: token.secret)
      let read = try EnrolmentReply(reply, token: token, nonce: request.nonce)
      try check(read)
      try folder.write(Array(read.authority.utf8), PeerFolder.authorityName, mode: 0o644)
      try folder.write(Array(read.certificate.utf8), PeerFolder.certificateName, mode: 0o644)
      try folder.write(read.body, PeerFolder.enrolmentName)
      folder.remove(PeerFolder.askedName)
      return read
    } catch {
      throw EdgeFault(error)
    }
  }

  private func check(_ reply: EnrolmentReply) throws(ProvenanceFault) {
    let certificate = try tls { () throws(X509Fault) in try Certificate(pem: Array(reply.certificate.utf8)) }
    let key = try tlsKey()
    guard certificate.subject == token.site.description, certificate.publicKey == key.publicKey else {
      throw ProvenanceFault(
        .enrolmentForeign, path: "enrolment",
        "the certificate in the reply is for \(certificate.subject), or for another key",
        remedy: "ask who runs the foundation to answer this gateway's own request")
    }
  }

  private static var hardware: String {
    let model =
      SystemFiles.bytes("/sys/firmware/devicetree/base/model", max: 256)
      ?? SystemFiles.bytes("/sys/class/dmi/id/product_name", max: 256) ?? []
    let text = String(decoding: model.filter { $0 >= 0x20 && $0 < 0x7F }, as: UTF8.self)
    return text.isEmpty ? "unknown" : text
  }
}
