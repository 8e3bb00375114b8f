/// Finds the shortest stream for whole numbers.
enum IntegerCodec {
  /// A column that may serve as a reference.
  typealias Reference = (index: Int, values: [Int64])

  /// The adaptive coder must save more than one part in this many.
  private static let worthwhileShare = 128

  /// `values` starts with 0.
  static func encode(_ values: [Int64], tier: Tier) -> [UInt8] {
    var shape = Shape(values.span)
    guard shape.changes > 0 else { return [] }
    var writer = ByteWriter()
    if shape.isLine {
      writer.byte(IntegerStream.Codec.line.rawValue)
      writer.zigzag(values[1])
      return writer.bytes
    }
    guard shape.divisor > 1 else { return shortest(values, shape, tier: tier) }
    let divided = values.map { $0 / shape.divisor }
    shape.divide()
    return shortest(divided, shape, tier: tier)
  }

  /// As `encode`, of the form that leans on other columns; nil where the values are too plain to need them.
  static func encode(_ values: [Int64], leaningOn references: [Reference]) -> [UInt8]? {
    let shape = Shape(values.span)
    guard shape.changes > values.count / 16, !shape.isLine, references.count <= IntegerStream.referencesMax else {
      return nil
    }
    return cold(shape.divisor > 1 ? values.map { $0 / shape.divisor } : values, shape.divisor, references)
  }

  private static func cold(_ divided: [Int64], _ divisor: Int64, _ references: [Reference]) -> [UInt8] {
    var writer = head(.cold, divisor: divisor)
    writer.varint(UInt64(references.count))
    for reference in references { writer.varint(UInt64(reference.index)) }
    writer.append(ColdCoder.encode(divided, references: references.map(\.values)))
    return writer.bytes
  }

  private static func head(_ codec: IntegerStream.Codec, divisor: Int64) -> ByteWriter {
    var writer = ByteWriter()
    writer.byte(codec.rawValue | (divisor > 1 ? IntegerStream.divisorFlag : 0))
    if divisor > 1 { writer.varint(UInt64(divisor)) }
    return writer
  }

  private static func shortest(_ values: [Int64], _ shape: Shape, tier: Tier) -> [UInt8] {
    var best: [UInt8]?
    if shape.changes <= values.count / 4 {
      let runs = runs(values, divisor: shape.divisor)
      // A change takes two bytes at least; a predictor that sees it coming is not worth the search.
      if shape.changes <= values.count / 64 { return runs }
      best = runs
    }
    let predicted = predicted(values, shape)
    if predicted.count < best?.count ?? .max { best = predicted }
    if tier == .cold {
      let modelled = cold(values, shape.divisor, [])
      // It takes several times as long to read.
      if modelled.count + modelled.count / worthwhileShare < best?.count ?? .max { best = modelled }
    }
    return best ?? predicted
  }

  private static func runs(_ values: [Int64], divisor: Int64) -> [UInt8] {
    var changes = ByteWriter()
    var (count, last) = (0, 0)
    for row in 1..<values.count where values[row] != values[row - 1] {
      changes.varint(UInt64(row - last))
      changes.zigzag(values[row] &- values[row - 1])
      (count, last) = (count + 1, row)
    }
    var writer = head(.runs, divisor: divisor)
    writer.varint(UInt64(count))
    writer.append(changes.bytes)
    return writer.bytes
  }

  private static func predicted(_ values: [Int64], _ shape: Shape) -> [UInt8] {
    var residuals = [UInt64](repeating: 0, count: values.count - 1)
    let predictor = PredictorSearch.best(for: values.span, shape, scratch: &residuals)
    var span = residuals.mutableSpan
    predictor.apply(to: values.span, into: &span)
    var writer: ByteWriter
    switch predictor {
    case .offset(let least):
      writer = head(.offset, divisor: shape.divisor)
      writer.zigzag(least)
    case .delta(let bias):
      writer = head(.delta, divisor: shape.divisor)
      writer.zigzag(bias)
    case .curve: writer = head(.curve, divisor: shape.divisor)
    case .level(let order, let shift, let jump):
      writer = head(.level, divisor: shape.divisor)
      writer.byte(order << 7 | shift)
      writer.byte(jump)
    case .linear(let coefficients, let shift):
      writer = head(.linear, divisor: shape.divisor)
      writer.byte(UInt8(coefficients.count))
      writer.byte(shift)
      for coefficient in coefficients { writer.byte(UInt8(bitPattern: Int8(coefficient))) }
    }
    ResidualCodec.encode(residuals.span, into: &writer)
    return writer.bytes
  }
}

/// What one pass over a stream tells.
struct Shape {
  private(set) var least: Int64 = 0
  /// Rows that differ from the one before.
  private(set) var changes = 0
  private(set) var isLine = true
  /// The greatest common divisor of all values; 1 where it would not fit.
  private(set) var divisor: Int64 = 1

  init(_ values: Span<Int64>) {
    guard values.count > 1 else { return }
    let step = values[1]
    var bent: Int64 = 0
    for i in 1..<values.count {
      let (value, before) = unsafe (values[unchecked: i], values[unchecked: i &- 1])
      least = min(least, value)
      if value != before { changes &+= 1 }
      bent |= value &- before &- step
    }
    isLine = bent == 0
    if changes > 0, !isLine { divisor = Self.divisor(of: values) }
  }

  mutating func divide() { least /= divisor }

  private static func divisor(of values: Span<Int64>) -> Int64 {
    var divisor: UInt64 = 0
    for i in 1..<values.count {
      var rest = unsafe values[unchecked: i].magnitude
      guard rest != 0, rest != divisor else { continue }
      while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
      if divisor == 1 { return 1 }
    }
    return divisor <= UInt64(Int64.max) ? Int64(divisor) : 1
  }
}
