extension ProvenanceFault {
  static func expired(_ title: String, _ version: UInt64) -> ProvenanceFault {
    ProvenanceFault(
      .metadataExpired, path: title, "\(title) \(version) has expired",
      remedy: "fetch a newer one; look at the foundation if there is none, and at this clock if it says so")
  }

  static func older(_ title: String, _ version: UInt64, _ floor: UInt64) -> ProvenanceFault {
    ProvenanceFault(
      .versionOld, path: title, "\(title) has version \(version), at least \(floor) was seen here",
      remedy: "look for who sends old metadata; rotate the keys if a version ran away")
  }

  static func contradiction(_ title: String, _ version: UInt64) -> ProvenanceFault {
    ProvenanceFault(
      .versionChanged, path: title, "there are two different \(title) of version \(version)",
      remedy: "find out who signed the second one, and publish the right one under the next version")
  }

  static func mismatch(_ title: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .metadataMismatch, path: title, "\(title) \(problem)", remedy: "fetch the whole set again from one place")
  }

  static func missing(_ titles: [String]) -> ProvenanceFault {
    ProvenanceFault(
      .metadataMissing, path: titles.joined(separator: ","), "not here yet: \(titles.joined(separator: ", "))",
      remedy: "ask the foundation for them")
  }

  static func vanished(_ name: String, _ title: String) -> ProvenanceFault {
    ProvenanceFault(
      .nameVanished, path: title, "\(name) is no longer in \(title)",
      remedy: "publish it again; an artefact that is taken back stays listed without releases")
  }

  static func otherFleet(_ title: String, _ seen: String, _ fleet: String) -> ProvenanceFault {
    ProvenanceFault(
      .otherFleet, path: title, "\(title) is of fleet \(seen), this is \(fleet)",
      remedy: "publish it for this fleet, or find out how it came here")
  }

  static func notListed(_ artefact: String, _ version: UInt64) -> ProvenanceFault {
    ProvenanceFault(
      .notListed, path: artefact, "\(artefact) \(version) is not among the signed targets, or below the lowest version",
      remedy: "have the targets keys list it, or assign another version")
  }

  static func notAssigned(_ artefact: String, _ site: SiteName) -> ProvenanceFault {
    ProvenanceFault(
      .notAssigned, path: artefact, "the rollout does not give \(artefact) to \(site)",
      remedy: "assign it in the rollout")
  }

  static func intakeFrozen(_ reason: String) -> ProvenanceFault {
    ProvenanceFault(
      .intakeFrozen, path: "foundation log", "no metadata is taken in: \(reason)",
      remedy: "find out what happened to the foundation's log, then have the root keys sign a log restart")
  }

  static func unproven(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .checkpointUnproven, path: "foundation log", problem,
      remedy: "ask again with the size that this site has seen; compare checkpoints with other sites if it stays so")
  }

  static func unwitnessed(_ count: Int, _ needed: Int) -> ProvenanceFault {
    ProvenanceFault(
      .witnessMissing, path: "foundation log", "\(count) witnesses cosigned the checkpoint, wanted \(needed)",
      remedy: "wait for the witnesses, or look whether they run")
  }

  static func installsOff(_ standing: ExpiryStanding) -> ProvenanceFault {
    ProvenanceFault(
      .installsOff, path: "metadata",
      "nothing is installed while the site is \(standing.state.name): \(standing.reasons.joined(separator: "; "))",
      remedy: "let the site reach its foundation, or bring it a newer bundle")
  }

  static func artefact(_ name: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .artefactRefused, path: name, "\(name): \(problem)", remedy: "fetch it again, or have it built and listed again")
  }
}
