import Guard
import SiteKernel
public import TwinCore
import YAML

/// A case of `tests/*.yaml`: what is seen, what is asked, and what must come of it.
public struct PackTest: Hashable, Sendable {
  public struct Given: Hashable, Sendable {
    /// Nil stands for "never read".
    public var value: Double?
    public var quality: Quality
    public var ageNanoseconds: Int64
  }

  public enum Expectation: Hashable, Sendable {
    /// Of a write: the verdict's name, its value and its binding rule where they matter.
    case verdict(result: String, value: Double?, rule: String?)
    /// Of an open lease: the value that the point is given back to.
    case givenBack(Double)
    /// Of an open lease: nothing ends it.
    case held
  }

  public var name: String
  public var file: String
  public var line: Int
  public var actor: Actor
  public var mode: Mode
  public var given: [PointIndex: Given]
  /// The point that the case is about.
  public var point: PointIndex
  /// What is asked; nil where the case is about an open lease.
  public var asked: Double?
  public var expected: Expectation
}

extension PackLoader {
  /// Cases in one pack: more would not be read by anyone.
  static let testsMax = 1000

  func readTests() {
    for path in documents.keys.sorted() where path.hasPrefix("tests/") {
      guard let section = top(path) else { continue }
      section.require("tests")
      var base: [PointIndex: PackTest.Given] = [:]
      if let given = section.section("given") { readGiven(given, &base) }
      let items = section.list("tests") ?? []
      for (position, item) in items.enumerated() {
        guard tests.count < Self.testsMax else {
          problems.add(
            .error, "pack.too_large", at: item.mark, "the pack has more than \(Self.testsMax) tests", "join some")
          break
        }
        if let inner = Section(item, name: "test \(position + 1)", problems) { readTest(inner, base) }
      }
      section.close()
    }
  }

  private func readGiven(_ section: Section, _ given: inout [PointIndex: PackTest.Given]) {
    for pair in section.pairs {
      // Every key is a point, known or reported: none is left for `close`.
      guard let entry = point(pair.key) else { continue }
      let old = given[entry.index]
      guard case .mapping(let mapping) = pair.value else {
        if let value = value(pair.value, of: entry, section) {
          given[entry.index] = PackTest.Given(value: value, quality: .good, ageNanoseconds: 0)
        }
        continue
      }
      let inner = Section(mapping, name: pair.key.raw, problems)
      let stated = inner.node("value").flatMap { value($0, of: entry, inner) }
      let qualities = Dictionary(uniqueKeysWithValues: Quality.allCases.map { ($0.name, $0) })
      let quality = inner.word("quality", qualities) ?? .good
      let age = inner.duration("age", in: 0...Section.yearNanoseconds) ?? 0
      inner.close()
      given[entry.index] = PackTest.Given(value: stated ?? old?.value, quality: quality, ageNanoseconds: age)
    }
  }

  /// A number in the point's unit, a state's name, or true and false.
  private func value(_ node: Node, of entry: PointEntry, _ section: Section) -> Double? {
    do throws(YAMLFault) {
      switch entry.kind {
      case .truth: return try node.scalar.bool ? 1 : 0
      case .choice(let symbols):
        let text = try node.scalar.text
        if let value = symbols[text] { return value }
        problems.add(
          .error, "pack.unknown_word", at: node.mark, "\"\(shortened(text))\" is no state of \(entry.id)",
          nearest(to: text, among: symbols.keys).map { "did you mean \"\($0)\"?" }
            ?? "write one of \(symbols.keys.sorted().joined(separator: ", "))")
        return nil
      default: return section.quantity(node, in: entry.unit)
      }
    } catch {
      problems.add(error)
    }
    return nil
  }

  private func readTest(_ section: Section, _ base: [PointIndex: PackTest.Given]) {
    section.require("name")
    section.require("expect")
    let name = section.text("name") ?? ""
    let isPerson = section.word("by", ["optimiser": false, "operator": true]) ?? false
    let mode = section.word("mode", Dictionary(uniqueKeysWithValues: Mode.allCases.map { ($0.name, $0) })) ?? .auto
    var given = base
    if let inner = section.section("given") { readGiven(inner, &given) }
    let write = section.section("write")
    let expect = section.section("expect")
    section.close()
    var test = PackTest(
      name: name, file: section.mark.file, line: section.mark.line,
      actor: isPerson ? .person("operator") : .policy(0), mode: mode, given: given, point: PointIndex(0), asked: nil,
      expected: .held)
    guard let expect else { return }
    if let write {
      guard write.pairs.count == 1, let entry = point(write.pairs[0].key) else {
        if write.pairs.count != 1 {
          problems.add(.error, "pack.bad_test", at: write.mark, "a test writes one point", "make a test of each")
        }
        return
      }
      guard let asked = value(write.pairs[0].value, of: entry, write) else { return }
      (test.point, test.asked) = (entry.index, asked)
      expect.require("result")
      let results = ["permit", "clamp", "keep", "refuse", "revert"]
      let result = expect.word("result", Dictionary(uniqueKeysWithValues: results.map { ($0, $0) }))
      let value = expect.node("value").flatMap { self.value($0, of: entry, expect) }
      let rule = expect.word("rule", Dictionary(uniqueKeysWithValues: Rule.allCases.map { ($0.name, $0.name) }))
      expect.close()
      guard let result else { return }
      test.expected = .verdict(result: result, value: value, rule: rule)
    } else {
      guard expect.pairs.count == 1, let entry = point(expect.pairs[0].key) else {
        if expect.pairs.count != 1 {
          problems.add(
            .error, "pack.bad_test", at: expect.mark, "without a write, expect names one point",
            "write expect: {device.point: 6.5}, or held")
        }
        return
      }
      test.point = entry.index
      if case .scalar(let scalar) = expect.pairs[0].value, scalar.raw == "held" {
        test.expected = .held
      } else {
        guard let value = value(expect.pairs[0].value, of: entry, expect) else { return }
        test.expected = .givenBack(value)
      }
    }
    guard envelopes.contains(where: { $0.point == test.point }) else {
      if !problems.hasErrors {
        problems.add(
          .error, "pack.no_envelope", at: section.mark, "\(points[test.point.position].id) has no envelope",
          "test points that have one")
      }
      return
    }
    tests.append(test)
  }
}
