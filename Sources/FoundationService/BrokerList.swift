import Glibc
import Provenance
import Seams
import TwinCore
import X509

/// The list of revoked certificates, `broker/crl.pem`, which the broker reads at its start (`crlfile`): the root's own,
/// empty one, and the device authority's.
///
/// The file is a copy: what is revoked stands in the ledger, and the list follows it. An entry that is on the list and
/// not in the ledger stays, for somebody put it there or the ledger is an older one.
struct BrokerList {
  static let day: Int64 = 86_400_000_000_000
  /// After it the broker lets nobody in.
  static let life = 365 * day
  /// Each new list costs a start of the broker, so it is made early and seldom.
  static let renewAfter = life / 2
  /// No client certificate lives longer: what was revoked earlier has ended by itself.
  static let entryLife = 2 * 365 * day
  static let name = "crl.pem"
  static let rootName = "root.crl"
  private static let bytesMax = 16 << 20

  private let folder: FoundationFolder
  private let devices: DeviceDesk
  private(set) var list: X509.RevocationList?
  private var before: [UInt8] = []

  init(folder: FoundationFolder, devices: DeviceDesk) {
    (self.folder, self.devices) = (folder, devices)
    read()
  }

  /// Somebody may have put an entry on it by hand. The root's list comes from `init`, which leaves a copy beside the
  /// authority.
  private mutating func read() {
    let text = SystemFiles.bytes(path, max: Self.bytesMax) ?? []
    list = try? X509.RevocationList.find(in: text, by: devices.certificate)
    guard let root = try? Certificate(pem: Array(devices.rootText.utf8)) else { return }
    let copy = SystemFiles.bytes("\(folder.authority)/\(Self.rootName)", max: Self.bytesMax) ?? []
    before = (try? X509.RevocationList.find(in: text + copy, by: root)?.pem()) ?? []
  }

  var path: String { "\(folder.broker)/\(Self.name)" }

  /// Whether the list ends soon enough to be made anew, or is not there.
  func isDue(at now: Instant) -> Bool {
    guard let validity = list?.validity else { return true }
    return validity.notAfter < now.advanced(byNanoseconds: Self.life - Self.renewAfter) || validity.notBefore > now
  }

  /// Writes a list with `revoked` on it where the one that is there lacks one of them or ends; true when it did.
  mutating func bring(_ revoked: [X509.Revocation], at now: Instant) throws(FoundationFault) -> Bool {
    read()
    let held = list?.revoked ?? []
    let known = Set(held.map(\.serial))
    let added = revoked.filter { !known.contains($0.serial) }
    guard !added.isEmpty || isDue(at: now) else { return false }
    let horizon = now.advanced(byNanoseconds: -Self.entryLife)
    let entries = (held + added).filter { $0.at > horizon }
    guard entries.count <= X509.RevocationList.countMax else {
      throw FoundationFault(
        "list_full", "\(entries.count) certificates are revoked, one list holds \(X509.RevocationList.countMax)",
        remedy: "give the fleet a new device authority: docs/runbooks/fleet.md")
    }
    // The time counts lists up, too, where the last one was lost.
    let number = max((list?.number ?? 0) + 1, UInt64(max(0, now.nanoseconds / 1_000_000_000)))
    let next: X509.RevocationList
    let text: [UInt8]
    do throws(X509Fault) {
      next = try devices.list(
        entries, number: number,
        validity: Validity(
          notBefore: now.advanced(byNanoseconds: -3_600_000_000_000), notAfter: now.advanced(byNanoseconds: Self.life)))
      text = try before + next.pem()
    } catch {
      throw FoundationFault(error)
    }
    do throws(ProvenanceFault) {
      try PrivateFile.write(text, directory: folder.broker, name: Self.name, mode: 0o644)
    } catch {
      throw FoundationFault(error)
    }
    list = next
    return true
  }
}
