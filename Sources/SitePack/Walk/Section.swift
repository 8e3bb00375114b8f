package import TwinCore
package import YAML

/// A mapping with a closed set of keys: each key that is asked for becomes known, and `close` reports the others.
///
/// Reading never stops: a wrong value is reported and given as nil.
package final class Section {
  /// For people, as in `unknown key "x" in NAME`.
  package let name: String
  package let mark: Mark
  package let problems: ProblemList
  private let values: [String: Node]
  /// As they stand in the text.
  package let pairs: [Mapping.Entry]
  private var known: Set<String> = []

  package init(_ mapping: Mapping, name: String, _ problems: ProblemList) {
    (self.name, mark, self.problems) = (name, mapping.mark, problems)
    values = Dictionary(mapping.entries.map { ($0.key.raw, $0.value) }, uniquingKeysWith: { first, _ in first })
    pairs = mapping.entries
  }

  /// Nil, and a problem, where no mapping stands.
  package convenience init?(_ node: Node, name: String, _ problems: ProblemList) {
    do throws(YAMLFault) {
      self.init(try node.mapping, name: name, problems)
    } catch {
      problems.add(error)
      return nil
    }
  }

  /// Reports every key that nobody asked for.
  package func close() {
    for key in pairs.map(\.key) where !known.contains(key.raw) {
      let near = nearest(to: key.raw, among: known)
      problems.add(
        .error, "pack.unknown_key", at: key.mark, "unknown key \"\(shortened(key.raw))\" in \(name)",
        near.map { "did you mean \"\($0)\"?" } ?? "known are \(known.sorted().joined(separator: ", "))")
    }
  }

  package func has(_ key: String) -> Bool { values[key] != nil }

  /// Where the key stands; the section itself where it does not.
  package func mark(of key: String) -> Mark { pairs.first { $0.key.raw == key }?.key.mark ?? mark }

  package func node(_ key: String) -> Node? {
    known.insert(key)
    return values[key]
  }

  package func require(_ key: String, _ hint: String = "") {
    known.insert(key)
    guard values[key] == nil else { return }
    problems.add(.error, "pack.missing_key", at: mark, "\(name) has no \"\(key)\"", hint)
  }

  // MARK: scalars

  package func scalar(_ key: String) -> Scalar? { read(key) { node throws(YAMLFault) in try node.scalar } }
  package func text(_ key: String) -> String? { read(key) { node throws(YAMLFault) in try node.scalar.text } }
  package func bool(_ key: String) -> Bool? { read(key) { node throws(YAMLFault) in try node.scalar.bool } }

  /// A plain number within `range`.
  package func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
    guard let value = read(key, { node throws(YAMLFault) in try node.scalar.double }) else { return nil }
    if range.contains(value) { return value }
    problems.add(
      .error, "pack.out_of_range", at: values[key]?.mark ?? mark,
      "\(key) of \(value) is outside \(range.lowerBound) to \(range.upperBound)", "give a number in that range")
    return nil
  }

  package func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
    read(key) { node throws(YAMLFault) in try node.scalar.integer(in: range) }
  }

  private func read<Value>(_ key: String, _ read: (Node) throws(YAMLFault) -> Value) -> Value? {
    guard let node = node(key) else { return nil }
    do throws(YAMLFault) { return try read(node) } catch { problems.add(error) }
    return nil
  }

  /// One of a fixed set of words.
  package func word<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type) -> Choice?
  where Choice.RawValue == String {
    word(key, Dictionary(uniqueKeysWithValues: Choice.allCases.map { ($0.rawValue, $0) }))
  }

  package func word<Value>(_ key: String, _ choices: [String: Value]) -> Value? {
    guard let text = text(key), let scalar = scalar(key) else { return nil }
    if let choice = choices[text] { return choice }
    let near = nearest(to: text, among: choices.keys)
    problems.add(
      .error, "pack.unknown_word", at: scalar.mark, "\"\(shortened(text))\" is not a value of \"\(key)\" in \(name)",
      near.map { "did you mean \"\($0)\"?" } ?? "write one of \(choices.keys.sorted().joined(separator: ", "))")
    return nil
  }

  /// Nanoseconds of `500 ms`, `2s`, `15min`, within `range`.
  package func duration(_ key: String, in range: ClosedRange<Int64> = 1...Section.yearNanoseconds) -> Int64? {
    guard let scalar = scalar(key) else { return nil }
    guard let value = DurationText.parse(scalar.raw) else {
      problems.add(
        .error, "pack.not_a_duration", at: scalar.mark, "\"\(shortened(scalar.raw))\" is no span of time",
        "write a number and ms, s, min, h or d, as in 15min")
      return nil
    }
    guard range.contains(value) else {
      let ends = [range.lowerBound, range.upperBound].map { DurationText.exact(nanoseconds: $0) }
      problems.add(
        .error, "pack.out_of_range", at: scalar.mark, "\(key) of \(scalar.raw) is outside \(ends[0]) to \(ends[1])",
        "give a span in that range")
      return nil
    }
    return value
  }

  package static let yearNanoseconds: Int64 = 366 * 86_400 * 1_000_000_000

  /// A UCUM code.
  package func unit(_ key: String) -> UnitCode? {
    guard let scalar = scalar(key) else { return nil }
    if let unit = UnitCode(ucum: scalar.raw) { return unit }
    problems.add(
      .error, "pack.unknown_unit", at: scalar.mark, "unit \"\(shortened(scalar.raw))\" is not known",
      UnitHint.text(for: scalar.raw))
    return nil
  }

  /// A bare number in `unit`, or a quantity that converts to it.
  package func quantity(_ key: String, in unit: UnitCode) -> Double? { node(key).flatMap { quantity($0, in: unit) } }

  package func quantity(_ node: Node, in unit: UnitCode) -> Double? {
    do throws(YAMLFault) {
      let scalar = try node.scalar
      guard let quantity = try parsed(scalar) else { return nil }
      guard let own = quantity.unit else { return quantity.value }
      if own.isAffine == unit.isAffine, let value = own.convert(quantity.value, to: unit), value.isFinite {
        return value
      }
      problems.add(
        .error, "pack.unit_mismatch", at: scalar.mark, "\(scalar.raw) is no quantity in \(unit.ucum)",
        "give it in \(unit.ucum)")
    } catch {
      problems.add(error)
    }
    return nil
  }

  /// A number with or without a unit; nil where the unit is unknown, which is reported.
  package func parsed(_ scalar: Scalar) throws(YAMLFault) -> (value: Double, unit: UnitCode?)? {
    do throws(UnitFault) {
      let quantity = try Quantity.parse(scalar.raw)
      return (quantity.value, quantity.unit)
    } catch {
      guard let word = error.unit else { return (try scalar.double, nil) }
      problems.add(
        .error, "pack.unknown_unit", at: scalar.mark, "unit \"\(shortened(word))\" is not known",
        UnitHint.text(for: word))
      return nil
    }
  }

  // MARK: collections

  package func list(_ key: String) -> [Node]? { read(key) { node throws(YAMLFault) in try node.sequence } }

  package func section(_ key: String, name: String? = nil) -> Section? {
    node(key).flatMap { Section($0, name: name ?? "\(key) of \(self.name)", problems) }
  }

  /// The entries of a mapping whose keys are names that the pack invents. `check` tells what a name must be.
  package func entries(
    _ key: String, _ check: (String) -> Bool = { Identifier.isName($0) },
    hint: String = "begin with a letter a-z, go on with a-z, 0-9, - and _, at most 64"
  ) -> [(key: Scalar, value: Node)] {
    guard let node = node(key) else { return [] }
    do throws(YAMLFault) {
      return try node.mapping.entries.compactMap { entry in
        if check(entry.key.raw) { return (entry.key, entry.value) }
        problems.add(
          .error, "pack.bad_name", at: entry.key.mark, "\"\(shortened(entry.key.raw))\" is no name here", hint)
        return nil
      }
    } catch {
      problems.add(error)
    }
    return []
  }
}

/// At most 60 characters of a text from outside, for messages.
func shortened(_ text: String) -> String { text.count <= 60 ? text : text.prefix(59) + "…" }
