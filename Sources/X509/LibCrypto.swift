import CCrypto
import TwinCore

/// The only place that sees libcrypto: DER in, DER out, statuses into faults. Any thread.
enum LibCrypto {
  /// Longer input is no certificate, request or key of ours.
  static let derBytesMax = 65_536
  /// A list of a hundred thousand serial numbers is about 4 MB.
  static let listBytesMax = 16 << 20
  private static let reasonBytes = 256

  enum Kind: Int32 {
    case root, deviceAuthority, server, client

    fileprivate var code: Int32 {
      switch self {
      case .root: Int32(CCRYPTO_ROOT)
      case .deviceAuthority: Int32(CCRYPTO_DEVICE_AUTHORITY)
      case .server: Int32(CCRYPTO_SERVER)
      case .client: Int32(CCRYPTO_CLIENT)
      }
    }
  }

  struct CertificatePlan {
    var kind: Kind
    var issuer: [UInt8] = []
    var issuerKey: [UInt8]
    var publicKey: [UInt8]
    var commonName: String
    var serial: [UInt8]
    var validity: Validity
    /// See `ccrypto_template.alternative_names`.
    var alternativeNames: [UInt8] = []
  }

  static func randomBytes(_ count: Int) throws(X509Fault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let status = unsafe ccrypto_random(&bytes, count)
    try check(status, "random bytes")
    return bytes
  }

  static func sha256(_ bytes: [UInt8]) throws(X509Fault) -> Digest {
    var digest = [UInt8](repeating: 0, count: 32)
    let status = unsafe withView(bytes) { unsafe ccrypto_sha256($0, &digest) }
    try check(status, "SHA-256")
    return Digest(bytes: digest)!
  }

  static func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { raw in
      if let base = raw.baseAddress { unsafe ccrypto_wipe(base, raw.count) }
    }
  }

  /// The body of the PEM block at `index`.
  static func decodePEM(_ text: [UInt8], label: String, index: Int = 0) throws(X509Fault) -> [UInt8] {
    guard text.count <= listBytesMax * 2 else { throw tooLong("PEM text", text.count, listBytesMax * 2) }
    return try unsafe bytes("block \(index + 1) of the PEM text as \(label)") { out in
      unsafe withView(text) { unsafe ccrypto_pem_decode($0, label, index, &out) }
    }
  }

  static func encodePEM(_ der: [UInt8], label: String) throws(X509Fault) -> [UInt8] {
    try unsafe bytes(label) { out in
      unsafe withView(der) { unsafe ccrypto_pem_encode($0, label, &out) }
    }
  }

  static func makeKey() throws(X509Fault) -> [UInt8] {
    try unsafe bytes("a P-256 key") { out in unsafe ccrypto_key_make(&out) }
  }

  static func publicKey(of key: [UInt8]) throws(X509Fault) -> [UInt8] {
    try unsafe bytes("the private key") { out in
      unsafe withView(key) { unsafe ccrypto_key_public($0, &out) }
    }
  }

  static func makeRequest(key: [UInt8], commonName: String) throws(X509Fault) -> [UInt8] {
    try checkName(commonName)
    return try unsafe bytes("a signing request of \"\(commonName)\"") { out in
      unsafe withView(key) { unsafe ccrypto_request_make($0, commonName, &out) }
    }
  }

  static func readRequest(_ der: [UInt8]) throws(X509Fault) -> (commonName: String, publicKey: [UInt8]) {
    var name = [CChar](repeating: 0, count: Int(CCRYPTO_NAME_MAX) + 1)
    let key = try unsafe bytes("the signing request") { out in
      unsafe withView(der) { unsafe ccrypto_request_read($0, &name, &out) }
    }
    return (text(name), key)
  }

  static func makeCertificate(_ plan: CertificatePlan) throws(X509Fault) -> [UInt8] {
    precondition(plan.serial.count == Int(CCRYPTO_SERIAL_MADE))
    try checkName(plan.commonName)
    return try unsafe bytes("a certificate of \"\(plan.commonName)\"") { out in
      unsafe withView(plan.issuer) { issuer in
        unsafe withView(plan.issuerKey) { issuerKey in
          unsafe withView(plan.publicKey) { publicKey in
            unsafe withView(plan.alternativeNames) { names in
              unsafe plan.commonName.withCString { commonName in
                var template = unsafe ccrypto_template()
                unsafe template.kind = plan.kind.code
                unsafe template.issuer = issuer
                unsafe template.issuer_key = issuerKey
                unsafe template.public_key = publicKey
                unsafe template.common_name = commonName
                unsafe withUnsafeMutableBytes(of: &template.serial) { unsafe $0.copyBytes(from: plan.serial) }
                unsafe template.not_before = plan.validity.notBefore.wholeSeconds
                unsafe template.not_after = plan.validity.notAfter.wholeSeconds
                unsafe template.alternative_names = names
                return unsafe ccrypto_certificate_make(&template, &out)
              }
            }
          }
        }
      }
    }
  }

  static func readCertificate(_ der: [UInt8]) throws(X509Fault) -> Certificate.Fields {
    guard der.count <= derBytesMax else { throw tooLong("certificate", der.count, derBytesMax) }
    var read = unsafe ccrypto_certificate()
    let status = unsafe withView(der) { unsafe ccrypto_certificate_read($0, &read) }
    try check(status, "the certificate")
    defer { unsafe ccrypto_release(&read.public_key) }
    let serial = unsafe withUnsafeBytes(of: read.serial) { unsafe [UInt8]($0.prefix(read.serial_count)) }
    return unsafe Certificate.Fields(
      subject: withUnsafeBytes(of: read.subject) { unsafe text($0) },
      issuer: withUnsafeBytes(of: read.issuer) { unsafe text($0) },
      serial: SerialNumber(bytes: serial),
      validity: Validity(
        notBefore: Instant(wholeSeconds: read.not_before), notAfter: Instant(wholeSeconds: read.not_after)),
      isAuthority: read.is_authority != 0,
      publicKey: PublicKey(der: copy(read.public_key)))
  }

  static func checkSignature(of certificate: [UInt8], by issuer: [UInt8]) throws(X509Fault) {
    let status = unsafe withView(certificate) { certificate in
      unsafe withView(issuer) { unsafe ccrypto_certificate_signed_by(certificate, $0) }
    }
    try check(status, "the certificate")
  }

  /// nil when the chain holds, else why not.
  static func verify(
    _ leaf: [UInt8], between: [UInt8], roots: [UInt8], lists: [UInt8], kind: Kind, at instant: Instant
  ) throws(X509Fault) -> String? {
    var verdict: Int32 = 0
    var words = [CChar](repeating: 0, count: reasonBytes)
    let status = unsafe withView(leaf) { leaf in
      unsafe withView(between) { between in
        unsafe withView(roots) { roots in
          unsafe withView(lists) { lists in
            unsafe ccrypto_chain_verify(
              leaf, between, roots, lists, kind.code, instant.wholeSeconds, &verdict, &words, reasonBytes)
          }
        }
      }
    }
    try check(status, "the chain")
    return verdict == 0 ? nil : text(words)
  }

  static func makeList(
    issuer: [UInt8], issuerKey: [UInt8], number: UInt64, validity: Validity, revoked: [Revocation]
  ) throws(X509Fault) -> [UInt8] {
    let entries = revoked.map { entry in
      var packed = ccrypto_revoked()
      unsafe withUnsafeMutableBytes(of: &packed.serial) { unsafe $0.copyBytes(from: entry.serial.bytes) }
      packed.serial_count = entry.serial.bytes.count
      packed.at = entry.at.wholeSeconds
      return packed
    }
    return try unsafe bytes("a revocation list") { out in
      unsafe withView(issuer) { issuer in
        unsafe withView(issuerKey) { key in
          unsafe ccrypto_list_make(
            issuer, key, number, validity.notBefore.wholeSeconds, validity.notAfter.wholeSeconds, entries,
            entries.count, &out)
        }
      }
    }
  }

  static func readList(
    _ der: [UInt8], issuer: [UInt8]
  ) throws(X509Fault) -> (number: UInt64, validity: Validity, revoked: [Revocation]) {
    guard der.count <= listBytesMax else { throw tooLong("revocation list", der.count, listBytesMax) }
    var read = unsafe ccrypto_list()
    let status = unsafe withView(der) { list in
      unsafe withView(issuer) { unsafe ccrypto_list_read(list, $0, &read) }
    }
    try check(status, "the revocation list")
    defer { unsafe ccrypto_release_revoked(&read) }
    let validity = unsafe Validity(
      notBefore: Instant(wholeSeconds: read.this_update), notAfter: Instant(wholeSeconds: read.next_update))
    let revoked = unsafe UnsafeBufferPointer(start: read.revoked, count: read.count).map { entry in
      let serial = unsafe withUnsafeBytes(of: entry.serial) { unsafe [UInt8]($0.prefix(entry.serial_count)) }
      return Revocation(serial: SerialNumber(bytes: serial), at: Instant(wholeSeconds: entry.at))
    }
    return unsafe (read.number, validity, revoked)
  }

  private static func bytes(
    _ what: String, _ body: (inout ccrypto_bytes) -> Int32
  ) throws(X509Fault) -> [UInt8] {
    var out = unsafe ccrypto_bytes()
    try check(unsafe body(&out), what)
    defer { unsafe ccrypto_release(&out) }
    return unsafe copy(out)
  }

  private static func copy(_ bytes: ccrypto_bytes) -> [UInt8] {
    unsafe [UInt8](UnsafeBufferPointer(start: bytes.bytes, count: bytes.count))
  }

  private static func withView<R>(_ bytes: [UInt8], _ body: (ccrypto_view) -> R) -> R {
    unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe body(ccrypto_view(bytes: buffer.baseAddress, count: buffer.count))
    }
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func text(_ characters: UnsafeRawBufferPointer) -> String {
    unsafe String(decoding: characters.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Here too, because a NUL would end the name unseen on its way to C.
  private static func checkName(_ name: String) throws(X509Fault) {
    let isUsable = (1...Int(CCRYPTO_NAME_MAX)).contains(name.utf8.count) && name.utf8.allSatisfy { 0x20...0x7E ~= $0 }
    if !isUsable { try check(Int32(CCRYPTO_NAME), "\(name.debugDescription)") }
  }

  private static func tooLong(_ what: String, _ count: Int, _ most: Int) -> X509Fault {
    X509Fault(.malformed, "a \(what) of \(count) bytes, at most \(most) are read", remedy: "check what the file holds")
  }

  /// Empties libcrypto's error queue in every case: what stays in it makes TLS on the same thread fail.
  private static func check(_ status: Int32, _ what: String) throws(X509Fault) {
    var reason = [CChar](repeating: 0, count: reasonBytes)
    unsafe ccrypto_reason(&reason, reasonBytes)
    switch Int(status) {
    case CCRYPTO_OK: return
    case CCRYPTO_MALFORMED:
      throw X509Fault(.malformed, "\(what): not readable", remedy: "check that the file is whole and of this kind")
    case CCRYPTO_CURVE:
      throw X509Fault(
        .wrongCurve, "\(what): the key is not on the named curve P-256",
        remedy: "make a new key with twind, or on P-256")
    case CCRYPTO_SIGNATURE:
      throw X509Fault(
        .badSignature, "\(what): the signature is not by the key that should have made it",
        remedy: "fetch it again from its origin; do not trust it")
    case CCRYPTO_NAME:
      throw X509Fault(
        .badName, "\(what): the subject has not exactly one common name of 1 to 64 printable ASCII characters",
        remedy: "use the site's name, tenant.site, as the only common name")
    case CCRYPTO_MISMATCH:
      throw X509Fault(
        .otherKey, "\(what): the private key is not the one of the certificate", remedy: "give the key it was made with"
      )
    default:
      throw X509Fault(
        .libraryFailed, "\(what): libcrypto failed: \(text(reason))", remedy: "check memory and the random device")
    }
  }
}
