// A pack in the targets is one digest: BLAKE2b-256 over lines of text, one for each of its files, the seals among them,
// by path in ascending byte order, every line ended by a line feed:
//
//     DIGEST  LENGTH  PATH
//
// DIGEST is the file's BLAKE2b-256 in 64 lower-case hexadecimal digits, LENGTH in decimal; two spaces between. Its size
// is the sum of the lengths.

public import Sodium
public import TwinCore

/// A pack as the targets document lists it.
public struct PackListing: Equatable, Sendable {
  public let digest: Digest
  public let size: UInt64

  public init(_ files: [PackFile]) {
    let files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    let text = files.map { "\(Sodium.blake2b256($0.bytes).hex)  \($0.bytes.count)  \($0.path)\n" }.joined()
    digest = Sodium.blake2b256(Array(text.utf8))
    size = files.reduce(0) { $0 + UInt64($1.bytes.count) }
  }
}

/// What the rollout gives a site, of what the targets list.
public struct Installable: Equatable, Sendable {
  public let artefact: String
  public let kind: String
  public let release: Release
  public let predicates: [String]
  public let stage: RolloutStage
}

/// A pack of the fleet that may be installed.
public struct AdmittedPack: Equatable, Sendable {
  public let seal: PackSeal
  public let stage: RolloutStage
  /// What becomes the floor once it is installed.
  public let envelope: TrustStore.EnvelopeFloor
  /// Whether the safety envelope differs from the one that runs: an audit entry of its own.
  public let changesEnvelope: Bool
}

public enum PackAdmission: Equatable, Sendable {
  case install(AdmittedPack)
  /// Never empty; everything that was found.
  case refuse([ProvenanceFault])
}

extension TrustStore {
  /// Everything that `site` is given now; `refused` says why the rest of its assignments is not.
  public func installables(
    for site: SiteName, at time: TrustTime, _ ladder: ExpiryLadder = .standard
  ) -> (items: [Installable], refused: [ProvenanceFault]) {
    var items: [Installable] = []
    var refused: [ProvenanceFault] = []
    for assignment in rollout?.assignments(for: site) ?? [] {
      do throws(ProvenanceFault) {
        items.append(try installable(assignment.artefact, for: site, at: time, ladder))
      } catch {
        refused.append(error)
      }
    }
    return (items, refused)
  }

  /// What `site` is given of one artefact. Faults: `provenance.intake_frozen`, `installs_off`, `not_assigned`,
  /// `not_listed`, `metadata_expired`.
  public func installable(
    _ artefact: String, for site: SiteName, at time: TrustTime, _ ladder: ExpiryLadder = .standard
  ) throws(ProvenanceFault) -> Installable {
    if let frozen { throw .intakeFrozen(frozen) }
    let standing = standing(at: time, ladder)
    guard standing.allowed.installs else { throw .installsOff(standing) }
    guard let assignment = rollout?.assignments(for: site).first(where: { $0.artefact == artefact }) else {
      throw .notAssigned(artefact, site)
    }
    for document in targetsHeld.values.sorted(by: { $0.document.name < $1.document.name }).map(\.document) {
      guard let listed = document.artefact(artefact), let release = listed.release(assignment.version) else { continue }
      guard document.expires > time.instant else { throw .expired(document.name.name, document.version) }
      return Installable(
        artefact: artefact, kind: listed.kind, release: release, predicates: listed.predicates,
        stage: assignment.stage)
    }
    throw .notListed(artefact, assignment.version)
  }

  /// Checks an artefact's manifest against what the targets list; its bytes are checked chunk by chunk against the
  /// manifest afterwards. Faults: those of `installable`, `provenance.artefact_refused`, and of reading the manifest.
  public func admit(
    manifest bytes: [UInt8], _ artefact: String, for site: SiteName, at time: TrustTime,
    _ ladder: ExpiryLadder = .standard
  ) throws(ProvenanceFault) -> (manifest: ReleaseManifest, stage: RolloutStage) {
    let given = try installable(artefact, for: site, at: time, ladder)
    guard given.release.manifest == Self.digest(bytes) else {
      throw .artefact(artefact, "the manifest is not the one that is listed")
    }
    // The listing binds these very bytes; the envelope's own signature only tells who built it.
    let manifest = try ReleaseManifest(payload: try ReleaseManifest.envelope(bytes).payload)
    guard manifest.name == artefact, manifest.version == given.release.version, manifest.kind == given.kind,
      manifest.digest == given.release.digest, manifest.size == given.release.size
    else { throw .artefact(artefact, "the manifest describes something else than the targets list") }
    let carried = Set(manifest.attestations.map(\.predicateType))
    let lacking = given.predicates.filter { !carried.contains($0) }
    guard lacking.isEmpty else {
      throw .artefact(artefact, "required attestations are missing: \(lacking.joined(separator: ", "))")
    }
    return (manifest, given.stage)
  }

  /// Decides over a pack that came from the foundation.
  ///
  /// It must be listed and assigned, and sealed by both thresholds; and its envelope is the one that runs, or newer by
  /// the safety keys' own signatures. No other signature of the fleet makes up for those. `packSite` is the name in the
  /// seals.
  public func admit(
    pack files: [PackFile], for site: SiteName, packSite: String, at time: TrustTime,
    _ ladder: ExpiryLadder = .standard
  ) -> PackAdmission {
    var problems: [ProvenanceFault] = []
    var stage: RolloutStage?
    var listedVersion: UInt64?
    let name = "\(DocumentName.packs.name)/\(site)"
    do throws(ProvenanceFault) {
      let given = try installable(name, for: site, at: time, ladder)
      let listing = PackListing(files)
      if given.release.digest != listing.digest || given.release.size != listing.size {
        problems.append(.artefact(name, "the files are not those of version \(given.release.version) as listed"))
      }
      (stage, listedVersion) = (given.stage, given.release.version)
    } catch {
      problems.append(error)
    }
    switch PackTrust.check(files, keys: root.keyRing, site: packSite) {
    case .broken(let found): problems += found
    case .unsigned(let reasons): problems += reasons.map { .artefact(name, $0) }
    case .signed(let seal):
      problems += thresholdProblems(files)
      if let listedVersion, listedVersion != UInt64(seal.version) {
        problems.append(.artefact(name, "the seal says version \(seal.version), listed is \(listedVersion)"))
      }
      let floor = EnvelopeFloor(version: seal.envelopesVersion, digest: Self.envelopeDigest(files))
      if let problem = envelopeProblem(floor) { problems.append(problem) }
      if problems.isEmpty, let stage {
        return .install(
          AdmittedPack(seal: seal, stage: stage, envelope: floor, changesEnvelope: floor.digest != envelope?.digest))
      }
    }
    return .refuse(problems)
  }

  /// Makes the envelope of an installed pack the floor; the one of the pack that ran at enrolment, too.
  ///
  /// Fault: `provenance.envelope_older`, `version_changed`.
  public mutating func noteInstalled(_ floor: EnvelopeFloor) throws(ProvenanceFault) {
    if let problem = envelopeProblem(floor) { throw problem }
    envelope = floor
    advance()
  }

  /// The floor that a sealed pack's envelope would be.
  public static func envelopeFloor(_ files: [PackFile], _ seal: PackSeal) -> EnvelopeFloor {
    EnvelopeFloor(version: seal.envelopesVersion, digest: envelopeDigest(files))
  }

  private static func envelopeDigest(_ files: [PackFile]) -> Digest {
    digest(files.first { $0.path == SealKind.envelopesFile }?.bytes ?? [])
  }

  /// An envelope that the safety keys signed earlier may be looser than the one that runs; going back to it is a change
  /// of the envelope, which only they may ask for: by signing it under a new version.
  private func envelopeProblem(_ next: EnvelopeFloor) -> ProvenanceFault? {
    guard let envelope else { return nil }
    if next.version < envelope.version {
      return ProvenanceFault(
        .envelopeOlder, path: SealKind.envelopesFile,
        "the envelopes are of version \(next.version), those that run are of \(envelope.version)",
        remedy: "have the safety keys sign these envelopes again for a new version of the pack")
    }
    guard next.version > envelope.version || next.digest == envelope.digest else {
      return .contradiction(SealKind.envelopesFile, UInt64(next.version))
    }
    return nil
  }

  private func thresholdProblems(_ files: [PackFile]) -> [ProvenanceFault] {
    var problems: [ProvenanceFault] = []
    for (kind, role) in [(SealKind.pack, TrustRole.targets), (.envelopes, .safety)] {
      guard let file = files.first(where: { $0.path == kind.file }), let seal = Seal(kind, file: file.bytes) else {
        continue
      }
      let count = seal.signers(in: root.keyRing).count
      guard count < root.threshold(role) else { continue }
      problems.append(
        ProvenanceFault(
          .thresholdMissed, path: kind.file,
          "\(kind.file) is signed by \(count) \(role.name) keys, wanted \(root.threshold(role))",
          remedy: "have more holders of the \(role.name) keys sign it"))
    }
    return problems
  }
}

extension Seal {
  /// The different keys of the seal's role that signed it.
  func signers(in ring: KeyRing) -> Set<KeyID> {
    let message = Self.encoding(kind, manifest)
    let entries = ring.entries.filter { $0.role == kind.role }
    return Set(
      signatures.compactMap { signature in
        entries.contains { $0.id == signature.signer && Ed25519.verify(signature.bytes, of: message, by: $0.key) }
          ? signature.signer : nil
      })
  }
}

extension PackSigner {
  /// Adds one more holder's signature to a seal, `pack.sig` or `envelopes.sig`.
  ///
  /// The holder checks the files first: what is signed is what the seal states. Fault: `provenance.seal_malformed`.
  public static func cosign(
    _ file: PackFile, by key: borrowing Ed25519.SecretKey
  ) throws(ProvenanceFault) -> PackFile {
    guard let kind = SealKind.allCases.first(where: { $0.file == file.path }) else { throw .pathRefused(file.path) }
    let id = KeyID(key.publicKey)
    guard let seal = Seal(kind, file: file.bytes), Manifest(kind, text: seal.manifest[...]) != nil,
      seal.signatures.count < Seal.signaturesMax
    else { throw .sealMalformed(kind) }
    guard !seal.signatures.contains(where: { $0.signer == id }) else { return file }
    let signature = Base64.encode(key.sign(Seal.encoding(kind, seal.manifest)))
    return PackFile(path: file.path, bytes: file.bytes + Array("\(id) ".utf8) + signature + [UInt8(ascii: "\n")])
  }
}
