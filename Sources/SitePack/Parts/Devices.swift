import Collectors
import TwinCore
import YAML

/// A register map that devices share.
struct Profile {
  var name: String
  var defaults: ProfileDefaults
  /// In the order of the file, with the text behind each.
  var points: [(name: String, node: Node, draft: PointDraft?)]
}

/// A device with its points after its own overrides.
struct DeviceDraft {
  var device: Device
  var points: [PointDraft]
  var label: String?
  var brick: String?
  var mark: Mark
}

extension PackLoader {
  func readProfiles() {
    let data = site?.data ?? DataPolicy()
    for path in documents.keys.sorted() where path.hasPrefix("profiles/") {
      guard let section = top(path) else { continue }
      section.require("profile", "write profile: and a name")
      section.require("points")
      _ = section.text("source")
      let defaults = section.section("defaults").map { ProfileDefaults($0, data: data) } ?? ProfileDefaults(data: data)
      var profile = Profile(name: section.text("profile") ?? "", defaults: defaults, points: [])
      for (key, node) in section.entries("points") {
        let draft = Section(node, name: key.raw, problems).flatMap { PointDraft.read(key.raw, $0, defaults) }
        profile.points.append((key.raw, node, draft))
      }
      section.close()
      checkReferences(profile.points.compactMap(\.draft))
      checkOverlaps(profile.points.compactMap(\.draft))
      if profiles.updateValue(profile, forKey: profile.name) != nil {
        problems.add(
          .error, "pack.duplicate_name", at: section.mark(of: "profile"),
          "profile \"\(profile.name)\" is given in two files",
          "rename one")
      }
    }
  }

  /// Points that name others of their device.
  private func checkReferences(_ drafts: [PointDraft]) {
    let byName = Dictionary(drafts.map { ($0.register.name, $0) }, uniquingKeysWith: { first, _ in first })
    func unknown(_ name: String, _ key: String, _ draft: PointDraft) {
      let near = nearest(to: name, among: byName.keys)
      problems.add(
        .error, "pack.unknown_point", at: draft.mark,
        "\(key) of \(draft.register.name) names \"\(shortened(name))\", no point of the profile",
        near.map { "did you mean \"\($0)\"?" } ?? "name a point of the same profile")
    }
    for draft in drafts {
      if let name = draft.register.scaleFrom {
        if let scale = byName[name] {
          if scale.register.type != .scaleFactor {
            problems.add(
              .error, "pack.wrong_type", at: draft.mark,
              "scale_from of \(draft.register.name) names \(name), which is no sunssf",
              "give \(name) the type sunssf")
          }
        } else {
          unknown(name, "scale_from", draft)
        }
      }
      if let name = draft.register.write?.readbackPoint {
        guard let shown = byName[name] else {
          unknown(name, "readback", draft)
          continue
        }
        if shown.unit != draft.unit || shown.kind != draft.kind {
          problems.add(
            .error, "pack.unit_mismatch", at: draft.mark,
            "the read-back \(name) is in \(shown.unit.ucum), \(draft.register.name) in \(draft.unit.ucum)",
            "give both the same unit and type")
        }
      }
    }
  }

  /// Two points on the same registers are usually a slip of the manual's table.
  private func checkOverlaps(_ drafts: [PointDraft]) {
    let whole = drafts.filter {
      switch $0.register.type {
      case .bits, .uint8, .int8: false
      default: true
      }
    }
    let sorted = whole.sorted {
      ($0.register.table.rawValue, $0.register.address, $0.register.name)
        < ($1.register.table.rawValue, $1.register.address, $1.register.name)
    }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.register.table == b.register.table {
      let count = a.register.table.isBits ? 1 : a.register.type.registers
      guard b.register.address < a.register.address + count else { continue }
      problems.add(
        .warning, "pack.overlap", at: b.mark, "\(b.register.name) shares registers with \(a.register.name)",
        "check the addresses and types of both")
    }
  }

  func readDevices() {
    guard let section = top("devices.yaml") else { return }
    section.require("devices")
    for (key, node) in section.entries("devices") {
      guard let inner = Section(node, name: key.raw, problems) else { continue }
      if key.raw == "tariff" {
        problems.add(.error, "pack.bad_name", at: key.mark, "tariff is the name of the tariffs", "rename the device")
        continue
      }
      readDevice(key, inner)
    }
    section.close()
  }

  private func readDevice(_ key: Scalar, _ section: Section) {
    section.require("profile")
    let name = section.text("profile")
    let (link, unit, timing) = readLink(section)
    let label = section.text("label")
    let brick = section.text("brick")
    let isSafety = section.bool("sis") ?? false
    let overrides = section.section("points", name: "points of \(key.raw)")
    guard let name, let profile = profiles[name] else {
      scope.broken.insert(key.raw)
      for key in ["byte_order", "word_order", "every", "data"] { _ = section.node(key) }
      section.close()
      if let name {
        let near = nearest(to: name, among: profiles.keys)
        problems.add(
          .error, "pack.unknown_profile", at: section.mark(of: "profile"), "there is no profile \"\(shortened(name))\"",
          near.map { "did you mean \"\($0)\"?" } ?? "add it as a file in profiles/")
      }
      return
    }
    var defaults = profile.defaults
    defaults.read(section)
    let drafts = overridden(profile, by: overrides, defaults, device: key.raw)
    section.close()
    for draft in drafts where draft.register.write != nil && (isSafety || draft.isSafety) {
      problems.add(
        .error, "pack.safety_system", at: isSafety ? section.mark(of: "sis") : draft.mark,
        "\(key.raw).\(draft.register.name) belongs to a safety instrumented system and may not be written",
        "make it access: r")
    }
    guard points.count + drafts.count <= Self.pointsMax else {
      scope.broken.insert(key.raw)
      problems.add(
        .error, "pack.too_large", at: key.mark, "the pack has more than \(Self.pointsMax) points", "split the site")
      return
    }
    let readable = Set(drafts.map(\.register.name))
    for point in profile.points where !readable.contains(point.name) {
      scope.broken.insert("\(key.raw).\(point.name)")
    }
    // Without an address there is an error already; its points are there all the same, for those who name them.
    let device = Device(
      id: key.raw, profile: name, link: link ?? .tcp(host: "", port: 1), unit: unit, points: drafts.map(\.register),
      timeoutMs: timing.timeout, gapMs: timing.gap, connectDelayMs: timing.connectDelay,
      registersPerRequestMax: profile.defaults.registersPerRequestMax, gapMergeMax: profile.defaults.gapMergeMax)
    enter(DeviceDraft(device: device, points: drafts, label: label, brick: brick, mark: key.mark))
  }

  private func enter(_ draft: DeviceDraft) {
    for point in draft.points {
      let id = "\(draft.device.id).\(point.register.name)"
      guard !point.register.type.isText else {
        scope.points[id] = Scope.Entry(index: Self.noIndex, kind: point.kind)
        continue
      }
      let index = PointIndex(points.count)
      points.append(
        PointEntry(
          index: index, id: id, unit: point.unit, staleNanoseconds: stale(point), kind: point.kind, draft: point,
          device: devices.count))
      scope.points[id] = Scope.Entry(index: index, kind: point.kind)
    }
    devices.append(draft)
  }

  /// Three missed polls, and at least two seconds for one; where the plant owns the time, two of its steps.
  private func stale(_ point: PointDraft) -> Int64 {
    if let stated = point.staleNanoseconds { return stated }
    let every = Int64(point.register.everyMs) * 1_000_000
    return max(3 * every, every + 2_000_000_000, 2 * (site?.time?.stepNanoseconds ?? 0))
  }

  /// The profile's points, those that the device changes read anew from both texts.
  private func overridden(
    _ profile: Profile, by overrides: Section?, _ defaults: ProfileDefaults, device: String
  ) -> [PointDraft] {
    let drafts = profile.points.compactMap { point -> PointDraft? in
      guard let node = overrides?.node(point.name) else {
        guard defaults != profile.defaults else { return point.draft }
        return Section(point.node, name: point.name, problems).flatMap { PointDraft.read(point.name, $0, defaults) }
      }
      do throws(YAMLFault) {
        let (own, base) = (try node.mapping, try point.node.mapping)
        var keys = Set(own.entries.map(\.key.raw))
        // The one way of addressing replaces the other.
        if keys.contains("ref") || keys.contains("wire") { keys.formUnion(["ref", "wire"]) }
        let merged = Mapping(base.entries.filter { !keys.contains($0.key.raw) } + own.entries, at: own.mark)
        let section = Section(merged, name: "\(device).\(point.name)", problems)
        return PointDraft.read(point.name, section, defaults)
      } catch {
        problems.add(error)
        return nil
      }
    }
    overrides?.close()
    if overrides != nil {
      checkReferences(drafts)
      checkOverlaps(drafts)
    }
    return drafts
  }
}
