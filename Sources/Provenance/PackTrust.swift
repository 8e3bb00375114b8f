public import Sodium

/// What two signatures say about a pack that passed every check.
public struct PackSeal: Equatable, Sendable {
  public let site: String
  /// As signed; a gateway keeps the highest it has run as its floor.
  public let version: Int
  /// The pack version for which the safety key last signed the envelopes, at most `version`; has a floor too.
  public let envelopesVersion: Int
  public let packKeyID: KeyID
  public let safetyKeyID: KeyID
}

/// How far the origin of a pack is proven.
public enum PackTrust: Equatable, Sendable {
  /// Every file is as the targets key signed it, and the envelopes are as the safety key did.
  case signed(PackSeal)
  /// A signature is not there; what is there is right. Good for observing only.
  case unsigned(reasons: [String])
  /// Something contradicts a signature; nothing of the pack may be used. Sorted by path, never empty.
  case broken([ProvenanceFault])

  /// Judges files as `PackReader.read` gave them, for the site named `site`. Parse these same bytes afterwards.
  ///
  /// Reports everything found, not only the first. Paths and counts are checked again here, because a caller may have
  /// got the files elsewhere.
  public static func check(_ files: [PackFile], keys: KeyRing, site: String) -> PackTrust {
    var problems = shapeProblems(files)
    guard problems.isEmpty else { return .broken(sorted(problems)) }
    var reasons: [String] = []
    var sealed: [SealKind: (manifest: Manifest, signer: KeyID)] = [:]
    for kind in SealKind.allCases {
      guard let file = files.first(where: { $0.path == kind.file }) else {
        reasons.append("\(kind.file) is missing: not signed by the \(kind.role.rawValue) key")
        continue
      }
      do throws(ProvenanceFault) {
        let opened = try open(kind, file.bytes, keys: keys)
        sealed[kind] = opened
        if opened.manifest.site != site {
          problems.append(
            ProvenanceFault(
              .otherSite, path: kind.file, "\(kind.file) was signed for site \(opened.manifest.site), this is \(site)",
              remedy: "use the pack of this site, or have it signed for \(site)"))
        }
        problems += opened.manifest.problems(with: files)
      } catch {
        problems.append(error)
      }
    }
    if let pack = sealed[.pack], let envelopes = sealed[.envelopes], envelopes.manifest.version > pack.manifest.version
    {
      problems.append(
        ProvenanceFault(
          .envelopesNewer, path: SealKind.envelopes.file,
          "the envelopes were signed for version \(envelopes.manifest.version), the pack is \(pack.manifest.version)",
          remedy: "sign the pack again with the targets key"))
    }
    guard problems.isEmpty else { return .broken(sorted(problems)) }
    guard let pack = sealed[.pack], let envelopes = sealed[.envelopes] else { return .unsigned(reasons: reasons) }
    return .signed(
      PackSeal(
        site: pack.manifest.site, version: pack.manifest.version, envelopesVersion: envelopes.manifest.version,
        packKeyID: pack.signer, safetyKeyID: envelopes.signer))
  }

  /// Verifies first, and only then reads what was signed.
  private static func open(
    _ kind: SealKind, _ file: [UInt8], keys: KeyRing
  ) throws(ProvenanceFault) -> (manifest: Manifest, signer: KeyID) {
    guard let seal = Seal(kind, file: file) else { throw .sealMalformed(kind) }
    let signer = try seal.signer(in: keys)
    guard let manifest = Manifest(kind, text: seal.manifest[...]) else { throw .sealMalformed(kind) }
    return (manifest, signer)
  }

  fileprivate static func shapeProblems(_ files: [PackFile]) -> [ProvenanceFault] {
    guard files.count <= PackReader.filesMax else {
      return [
        ProvenanceFault(
          .tooManyFiles, path: "", "the pack has \(files.count) files, at most \(PackReader.filesMax) are read",
          remedy: "keep only pack files in the directory")
      ]
    }
    var problems: [ProvenanceFault] = []
    var seen: Set<String> = []
    for file in files {
      if !PackFile.isAllowed(path: file.path) { problems.append(.pathRefused(file.path)) }
      if file.bytes.count > PackFile.bytesMax { problems.append(.tooLarge(file.path, PackFile.bytesMax)) }
      if !seen.insert(file.path).inserted {
        problems.append(
          ProvenanceFault(
            .fileExtra, path: file.path, "\(file.path) is given twice", remedy: "give every file of the pack once"))
      }
    }
    return problems
  }

  private static func sorted(_ problems: [ProvenanceFault]) -> [ProvenanceFault] {
    problems.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }
}

/// Makes the two seals of a pack. Each gives a file to write into the pack (`PackFile.write(into:)`).
public enum PackSigner {
  /// `pack.sig`: all files but the envelopes and the seals, with the targets key.
  ///
  /// Faults: `site_refused`, `path_refused`, `file_too_large`, `too_many_files`, `file_extra` for a path given twice.
  public static func sealPack(
    _ files: [PackFile], site: String, version: Int, targets key: borrowing Ed25519.SecretKey
  ) throws(ProvenanceFault) -> PackFile {
    try seal(.pack, files, site: site, version: version, key: key)
  }

  /// `envelopes.sig`: `envelopes.yaml` alone, with the safety key; `envelopes_missing` without that file.
  ///
  /// Stays valid for later versions of the pack as long as the envelopes do not change.
  public static func sealEnvelopes(
    _ files: [PackFile], site: String, version: Int, safety key: borrowing Ed25519.SecretKey
  ) throws(ProvenanceFault) -> PackFile {
    guard files.contains(where: { $0.path == SealKind.envelopesFile }) else {
      throw ProvenanceFault(
        .envelopesMissing, path: SealKind.envelopesFile, "the pack has no \(SealKind.envelopesFile)",
        remedy: "add \(SealKind.envelopesFile), with an empty mapping if nothing is ever written")
    }
    return try seal(.envelopes, files, site: site, version: version, key: key)
  }

  private static func seal(
    _ kind: SealKind, _ files: [PackFile], site: String, version: Int, key: borrowing Ed25519.SecretKey
  ) throws(ProvenanceFault) -> PackFile {
    precondition(version >= 0, "a pack version is never negative")
    if let problem = PackTrust.shapeProblems(files).first { throw problem }
    guard Manifest.isAllowed(site: site) else {
      throw ProvenanceFault(
        .siteRefused, path: kind.file, "\(site.debugDescription) is no site name",
        remedy: "use 1 to \(Manifest.siteBytesMax) of a-z, 0-9, . _ -")
    }
    let manifest = Manifest(kind, site: site, version: version, files: files)
    return PackFile(path: kind.file, bytes: Seal(manifest, key: key).file)
  }
}

extension ProvenanceFault {
  static func sealMalformed(_ kind: SealKind) -> ProvenanceFault {
    ProvenanceFault(
      .sealMalformed, path: kind.file, "\(kind.file) is not a seal of twind, or was damaged",
      remedy: "restore \(kind.file), or sign again with the \(kind.role.rawValue) key")
  }
}
