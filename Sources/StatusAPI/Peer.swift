import CLinux
import Glibc

/// Who is on the other end of the socket, as the kernel says it (unix(7), SO_PEERCRED): numbers, so that no directory
/// service has to be up.
public struct Peer: Sendable, Equatable {
  public var uid: UInt32
  public var gid: UInt32
  public var pid: Int32
  /// Supplementary groups when it connected.
  public var groups: [UInt32]
  /// Who logged in, behind any sudo (`/proc/PID/loginuid`); nil when nobody did.
  public var loginUid: UInt32?
  /// The name in `/etc/passwd` of who logged in, else of `uid`; `uid-1000` when it has none there.
  public var name: String

  public init(uid: UInt32, gid: UInt32, pid: Int32, groups: [UInt32], loginUid: UInt32? = nil, name: String? = nil) {
    (self.uid, self.gid, self.pid, self.groups, self.loginUid) = (uid, gid, pid, groups, loginUid)
    self.name = name ?? "uid-\(loginUid ?? uid)"
  }

  /// More groups than this are not read; the operator group of a local account is always among the first.
  static let groupsMax = 1024

  /// Nil when the kernel does not say (not a unix socket).
  init?(socket: Int32) {
    var (uid, gid, pid): (uid_t, gid_t, pid_t) = (0, 0, 0)
    guard unsafe clinux_peer_credentials(socket, &uid, &gid, &pid) == 0 else { return nil }
    var groups = [gid_t](repeating: 0, count: Self.groupsMax)
    let count = unsafe clinux_peer_groups(socket, &groups, Int32(Self.groupsMax))
    self.init(uid: uid, gid: gid, pid: pid, groups: Array(groups.prefix(max(0, Int(count)))))
  }

  /// With who logged in and the name for the record. Reads files, so never on the event loop.
  func named() -> Peer {
    let login = Self.loginUid(of: pid)
    return Peer(uid: uid, gid: gid, pid: pid, groups: groups, loginUid: login, name: Accounts.user(login ?? uid))
  }

  func isMember(of group: UInt32) -> Bool { gid == group || groups.contains(group) }

  /// Writers are root, the daemon's own user and the operators; no operators are configured when `operators` is nil.
  func mayWrite(operators: UInt32?, daemon: UInt32) -> Bool {
    uid == 0 || uid == daemon || operators.map(isMember(of:)) ?? false
  }

  private static func loginUid(of pid: Int32) -> UInt32? {
    guard let text = FileText.read("/proc/\(pid)/loginuid", bytesMax: 32),
      let number = UInt32(text.filter { $0.isNumber }), number != .max
    else { return nil }
    return number
  }
}

/// The beginning of a small file as text; nil when it cannot be read.
enum FileText {
  static func read(_ path: String, bytesMax: Int) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    var filled = 0
    while filled < bytesMax {
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe Glibc.read(file, $0.baseAddress! + filled, bytesMax - filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      filled += count
    }
    return String(decoding: bytes[..<filled], as: UTF8.self)
  }
}

/// Local accounts by number, from the files themselves: no directory service is asked, none has to be up.
enum Accounts {
  static let fileBytesMax = 256 * 1024

  static func user(_ uid: UInt32) -> String? { entry("/etc/passwd", uid).map { String($0[0]) } }

  static func group(_ gid: UInt32) -> (name: String, members: [String])? {
    entry("/etc/group", gid).map { fields in
      (String(fields[0]), fields.count > 3 ? fields[3].split(separator: ",").map(String.init) : [])
    }
  }

  private static func entry(_ path: String, _ number: UInt32) -> [Substring]? {
    for line in (FileText.read(path, bytesMax: fileBytesMax) ?? "").split(separator: "\n") {
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      if fields.count > 2, UInt32(fields[2]) == number { return fields }
    }
    return nil
  }
}
