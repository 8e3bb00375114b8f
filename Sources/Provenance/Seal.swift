// `pack.sig` and `envelopes.sig`, text: a manifest (see Manifest.swift), an empty line, then one line for each
// signature:
//
//     KEYID SIGNATURE
//
// SIGNATURE is 64 bytes in base 64: Ed25519 over the pre-authentication encoding of DSSE v1
// (github.com/secure-systems-lab/dsse), "DSSEv1" SP length(type) SP type SP length(manifest) SP manifest, where the
// manifest is the received bytes, lengths are decimal, and the type is the seal kind's. At most 16 signatures, no key
// twice.

import Sodium

struct Seal {
  static let signaturesMax = 16
  /// A thousand lines of the longest form, and the signatures.
  static let bytesMax = 512 << 10

  let kind: SealKind
  /// As received; what is verified is this.
  let manifest: [UInt8]
  let signatures: [(signer: KeyID, bytes: [UInt8])]

  /// Signs; the manifest is one that was just made.
  init(_ manifest: Manifest, key: borrowing Ed25519.SecretKey) {
    kind = manifest.kind
    self.manifest = manifest.text
    signatures = [(KeyID(key.publicKey), key.sign(Self.encoding(kind, self.manifest)))]
  }

  /// Takes a seal's file apart without believing any of it.
  init?(_ kind: SealKind, file: [UInt8]) {
    let feed = UInt8(ascii: "\n")
    guard file.count <= Self.bytesMax, file.last == feed,
      let gap = zip(file, file.dropFirst()).enumerated().first(where: { $0.element == (feed, feed) })?.offset
    else { return nil }
    var signatures: [(signer: KeyID, bytes: [UInt8])] = []
    let rows = file[(gap + 2)...].dropLast().split(separator: feed, omittingEmptySubsequences: false)
    guard rows.count <= Self.signaturesMax else { return nil }
    for row in rows {
      let fields = row.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard fields.count == 2, let signer = KeyID(hex: String(decoding: fields[0], as: UTF8.self)),
        let bytes = Base64.decode(fields[1]), bytes.count == Ed25519.signatureBytes,
        !signatures.contains(where: { $0.signer == signer })
      else { return nil }
      signatures.append((signer, bytes))
    }
    (self.kind, manifest, self.signatures) = (kind, Array(file[...gap]), signatures)
  }

  var file: [UInt8] {
    manifest + [UInt8(ascii: "\n")]
      + signatures.flatMap { Array("\($0.signer) ".utf8) + Base64.encode($0.bytes) + [UInt8(ascii: "\n")] }
  }

  static func encoding(_ kind: SealKind, _ manifest: [UInt8]) -> [UInt8] {
    let type = kind.payloadType
    return Array("DSSEv1 \(type.utf8.count) \(type) \(manifest.count) ".utf8) + manifest
  }

  /// The key that signed, among those of the right role.
  ///
  /// Signatures by unknown keys are passed over, so that a pack may be signed by the old and the new key during a
  /// change; a wrong signature under a known key is a fault even beside a right one.
  func signer(in ring: KeyRing) throws(ProvenanceFault) -> KeyID {
    let message = Self.encoding(kind, manifest)
    var found: KeyID?
    var stranger: String?
    for (signer, bytes) in signatures {
      guard let entry = ring.entries.first(where: { $0.id == signer }) else {
        stranger = stranger ?? "key \(signer), which is not in \(KeySet.publicFile)"
        continue
      }
      guard entry.role == kind.role else {
        stranger = "the \(entry.role.rawValue) key \(signer)"
        continue
      }
      guard Ed25519.verify(bytes, of: message, by: entry.key) else {
        throw ProvenanceFault(
          .signatureWrong, path: kind.file, "\(kind.file) or its signature by key \(signer) was changed after signing",
          remedy: "restore \(kind.file), or sign again with the \(kind.role.rawValue) key")
      }
      found = found ?? signer
    }
    if let found { return found }
    throw ProvenanceFault(
      .signerUnknown, path: kind.file,
      "\(kind.file) is signed by \(stranger ?? "nobody"), wanted a \(kind.role.rawValue) key of \(KeySet.publicFile)",
      remedy: "sign it with the \(kind.role.rawValue) key, or bring the gateway's \(KeySet.publicFile) up to date")
  }
}
