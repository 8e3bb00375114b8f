import MQTT
import Provenance
public import Seams
import Sync
import TwinCore
import X509

/// Looks at everything between a gateway and its fleet, step by step, and says what to do about what is not right.
///
/// Speaks to the broker under the site's own name: not beside a running daemon, which it would push out.
public struct Doctor {
  public struct Finding: Sendable, Equatable {
    public var what: String
    public var isWell: Bool
    public var detail: String
    /// Empty where all is well.
    public var next: String
  }

  private let folder: PeerFolder
  private let clock: any SiteClock

  public init(state: String, clock: any SiteClock = SystemClock()) {
    (folder, self.clock) = (PeerFolder(state: state), clock)
  }

  /// In the order in which things are needed; ends where nothing further can be told.
  public func look() async -> [Finding] {
    var findings: [Finding] = []
    let enrolment: EnrolmentReply
    do throws(ProvenanceFault) {
      guard let found = try folder.enrolment() else {
        return [
          Finding(
            what: "enrolment", isWell: true, detail: "this site stands alone; nothing leaves it",
            next: "to join a fleet: twind enrol TOKEN")
        ]
      }
      enrolment = found
    } catch {
      return [Finding(what: "enrolment", isWell: false, detail: error.message, next: error.remedy)]
    }
    findings.append(
      Finding(what: "enrolment", isWell: true, detail: "\(enrolment.site) with \(enrolment.foundation)", next: ""))
    findings.append(
      Finding(
        what: "clock", isWell: clock.isTrusted, detail: clock.isTrusted ? "synchronised" : "not synchronised",
        next: clock.isTrusted ? "" : "chronyc sources -v; certificates are judged by it"))
    findings.append(contentsOf: certificates())
    findings.append(contentsOf: await broker(enrolment))
    return findings
  }

  private func certificates() -> [Finding] {
    let now = clock.instant
    let note = RenewalNote(folder.bytes(PeerFolder.renewalName, max: RenewalNote.bytesMax))
    guard let certificate = folder.certificate(pair) else {
      return [
        Finding(
          what: "certificate", isWell: false,
          detail: "\(folder.path)/\(PeerFolder.certificateName) and its key cannot be used",
          next: "start the daemon, which asks for another by itself: systemctl start twind")
      ] + renewal(note)
    }
    let validity = certificate.validity
    let days = validity.notAfter.nanoseconds(since: now) / 86_400_000_000_000
    let isWell = validity.contains(now)
    let renewal = CertificateUpkeep.renewalAt(certificate)
    return [
      Finding(
        what: "certificate", isWell: isWell,
        detail: "\(certificate.subject), until \(validity.notAfter.rfc3339), \(days) days; "
          + "renewed by the daemon from \(renewal.rfc3339) on",
        next: isWell
          ? ""
          : clock.isTrusted
            ? "start the daemon, which renews it by itself: systemctl start twind"
            : "set the clock first: chronyc sources -v")
    ] + self.renewal(note)
  }

  private func renewal(_ note: RenewalNote) -> [Finding] {
    if let fault = note.fault {
      let at = note.failedAt.map { " at \($0.rfc3339)" } ?? ""
      return [Finding(what: "renewal", isWell: false, detail: "failed\(at): \(fault.message)", next: fault.remedy)]
    }
    guard let at = note.renewedAt else { return [] }
    return [Finding(what: "renewal", isWell: true, detail: "last renewed at \(at.rfc3339)", next: "")]
  }

  /// A renewed certificate is tried first, as the daemon does.
  private var pair: PeerFolder.Pair { folder.certificate(.next) == nil ? .current : .next }

  /// Connects, looks at the limits, and tries what must be allowed and what must not.
  private func broker(_ enrolment: EnrolmentReply) async -> [Finding] {
    let place = "\(enrolment.host):\(enrolment.port)"
    let (events, put) = AsyncStream<MessageEvent>.makeStream(bufferingPolicy: .bufferingNewest(64))
    let link = BrokerLink(folder.settings(enrolment, pair)) { put.yield($0) }
    defer { link.close() }
    let clock = clock
    return await withTaskGroup(of: [Finding].self) { group in
      group.addTask { await Self.probe(link, events, enrolment.site, place) }
      group.addTask {
        await clock.sleep(until: clock.uptime.advanced(byNanoseconds: Self.probeNanoseconds))
        return [
          Finding(
            what: "broker", isWell: false, detail: "\(place) does not answer", next: "check the line and the name")
        ]
      }
      defer {
        group.cancelAll()
        put.finish()
      }
      return await group.next() ?? []
    }
  }

  static let probeNanoseconds: Int64 = 40_000_000_000

  private static func probe(
    _ link: BrokerLink, _ events: AsyncStream<MessageEvent>, _ site: SiteName, _ place: String
  ) async -> [Finding] {
    var findings: [Finding] = []
    var own: MessageID?
    var foreign: MessageID?
    do throws(MessageFault) {
      try link.connect(will: nil)
      for await event in events {
        switch event {
        case .connected(let limits):
          findings.append(
            Finding(
              what: "broker", isWell: true, detail: "\(place), \(BrokerLink.libraryVersion) on this side", next: ""))
          let isWell = limits.packetBytesMax >= SyncLimits.chunkPacketBytesMax
          findings.append(
            Finding(
              what: "packets", isWell: isWell, detail: "up to \(limits.packetBytesMax) bytes",
              next: isWell ? "" : "set max_packet_size to 327680 at the broker"))
          // Under topics that no worker listens to.
          own = try link.publish(
            OutgoingMessage(topic: "tw/1/up/\(site)/doctor", payload: []))
          foreign = try link.publish(
            OutgoingMessage(topic: "tw/1/up/\(site.tenant).another-\(site.site.prefix(20))/doctor", payload: []))
        case .published(let id, let reason):
          if id == own {
            findings.append(
              Finding(
                what: "own topics", isWell: !reason.isFailure, detail: reason.isFailure ? "refused" : "allowed",
                next: reason.isFailure ? "compare the broker's access list with the name \(site)" : ""))
          } else if id == foreign {
            findings.append(
              Finding(
                what: "others' topics", isWell: reason.isFailure, detail: reason.isFailure ? "refused" : "ALLOWED",
                next: reason.isFailure ? "" : "install twind's access list: edge-config/broker/twind.acl"))
            link.disconnect()
            return findings
          }
        case .disconnected(let fault):
          findings.append(
            Finding(what: "broker", isWell: false, detail: "\(place): \(fault.message)", next: fault.remedy))
          return findings
        case .received, .subscribed: break
        }
      }
    } catch {
      findings.append(Finding(what: "broker", isWell: false, detail: error.message, next: error.remedy))
    }
    return findings
  }
}
