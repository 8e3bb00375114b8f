// The body of a version entry of the family "overlay": a change of one point's past. The entry itself says which point,
// the stretch of effective time and the tick.
//
//   byte     format, 1
//   byte     operation: 1 replace, 2 retract
//   text ×3  reason, cause, by: varint bytes, then UTF-8; at most 1,024 bytes each
// and of a replacement
//   varint   samples, 1 to 4,096
//   column   effective, nanoseconds, rising (OverlayColumn.swift)
//   varint…  qualities in runs, length << 3 | quality, whose lengths add up to the samples
//   raw      step of the values as the bits of a Double; 0: none
//   varint   exceptions, 0 without a step; then for each: varint rows since the one before (since -1), raw its bits
//   column   of the samples whose quality has a value: counts, where the value is Double(count) × step bit for bit, and
//            of an exception the count before; without a step, the bits of the values
//
// Invariant: the first sample is at the entry's start and the last one a nanosecond before its end.

import SeriesCodec
import TwinCore

extension Overlay {
  static let format: UInt8 = 1
  /// Counts beyond this are not exact in a Double.
  private static let countMax = 9_007_199_254_740_992.0

  /// Packs the entry's body. `step` is tried first: the point's decimal step, 0 where it is not known.
  func encode(step: Double) -> [UInt8] {
    var writer = ByteWriter()
    writer.byte(Self.format)
    writer.byte(operation == .retract ? 2 : 1)
    for text in [grounds.reason, grounds.cause, grounds.by] {
      writer.varint(UInt64(text.utf8.count))
      writer.append(Array(text.utf8))
    }
    guard case .replace(let samples) = operation else { return writer.bytes }
    precondition((1...Self.samplesMax).contains(samples.count), "a replacement has 1 to 4,096 samples")
    writer.varint(UInt64(samples.count))
    OverlayColumn.encode(samples.effective, into: &writer)
    var start = 0
    while start < samples.count {
      var end = start + 1
      while end < samples.count, samples.qualities[end] == samples.qualities[start] { end += 1 }
      writer.varint(UInt64(end - start) << 3 | UInt64(samples.qualities[start].rawValue))
      start = end
    }
    let values = zip(samples.values, samples.qualities).filter { $1.hasValue }.map(\.0)
    var best = Counts(bitsOf: values)
    for candidate in [step] + Self.decimals where candidate > 0 && best.exceptions.count * 8 > values.count {
      let counts = Counts(of: values, step: candidate)
      if counts.exceptions.count < best.exceptions.count { best = counts }
    }
    if best.exceptions.count * 2 > values.count { best = Counts(bitsOf: values) }
    writer.raw(best.step.bitPattern)
    let exceptions = best.step > 0 ? best.exceptions : []
    writer.varint(UInt64(exceptions.count))
    var previous = -1
    for row in exceptions {
      writer.varint(UInt64(row - previous))
      writer.raw(values[row].bitPattern)
      previous = row
    }
    OverlayColumn.encode(best.numbers, into: &writer)
    return writer.bytes
  }

  private static let decimals = [1, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]

  /// Values as whole numbers.
  private struct Counts {
    /// 0: the numbers are the values' bits, and all count as exceptions of a step.
    var step: Double
    var numbers: [Int64] = []
    /// Rows whose value is no whole count, −0 among them.
    var exceptions: [Int] = []

    init(bitsOf values: [Double]) {
      step = 0
      numbers = values.map { Int64(bitPattern: $0.bitPattern) }
      exceptions = Array(values.indices)
    }

    init(of values: [Double], step: Double) {
      self.step = step
      for (row, value) in values.enumerated() {
        let quotient = (value / step).nearestInteger
        if quotient.magnitude <= countMax, (Double(Int64(quotient)) * step).bitPattern == value.bitPattern {
          numbers.append(Int64(quotient))
        } else {
          exceptions.append(row)
          numbers.append(numbers.last ?? 0)
        }
      }
    }
  }

  /// Unpacks an entry's body, which may be anything.
  init(_ bytes: [UInt8], tick: Int64, effective: Range<Int64>) throws(CodecFault) {
    var reader = ByteReader(bytes)
    let format = try reader.byte()
    guard format == Self.format else { throw CodecFault("format \(format) of an overlay") }
    let code = try reader.byte()
    var texts: [String] = []
    for _ in 0..<3 {
      let raw = try reader.bytes(try reader.count(max: Grounds.textBytesMax))
      guard let text = String(validating: raw, as: UTF8.self) else { throw CodecFault("text that is not UTF-8") }
      texts.append(text)
    }
    let operation: Operation
    switch code {
    case 1: operation = .replace(try Self.samples(&reader, tick: tick, effective: effective))
    case 2: operation = .retract
    default: throw CodecFault("operation \(code) of an overlay")
    }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    self.init(
      tick: tick, effective: effective, operation: operation,
      grounds: Grounds(reason: texts[0], cause: texts[1], by: texts[2]))
  }

  private static func samples(
    _ reader: inout ByteReader, tick: Int64, effective: Range<Int64>
  ) throws(CodecFault) -> SampleColumns {
    let count = try reader.count(max: samplesMax)
    var samples = SampleColumns()
    samples.effective = try OverlayColumn.decode(count, from: &reader)
    guard count > 0, samples.effective.first == effective.lowerBound,
      samples.effective.last?.saturatingAdd(1) == effective.upperBound,
      zip(samples.effective, samples.effective.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw CodecFault("\(count) samples that do not fill their stretch") }
    samples.ticks = Array(repeating: tick, count: count)
    while samples.qualities.count < count {
      let run = try reader.varint()
      guard run >> 3 > 0, run >> 3 <= UInt64(count - samples.qualities.count),
        let quality = Quality(rawValue: UInt8(run & 7))
      else { throw CodecFault("run of qualities \(run)") }
      samples.qualities.append(contentsOf: repeatElement(quality, count: Int(run >> 3)))
    }
    let step = Double(bitPattern: try reader.raw())
    guard step >= 0, step.isFinite else { throw CodecFault("step \(step)") }
    let filled = samples.qualities.count { $0.hasValue }
    var bits: [Int: UInt64] = [:]
    var row = -1
    for _ in 0..<(try reader.count(max: step > 0 ? filled : 0)) {
      row += try reader.count(max: filled)
      bits[row] = try reader.raw()
    }
    let numbers = try OverlayColumn.decode(filled, from: &reader)
    var values = numbers.map { step > 0 ? Double($0) * step : Double(bitPattern: UInt64(bitPattern: $0)) }
    for (row, pattern) in bits where values.indices.contains(row) { values[row] = Double(bitPattern: pattern) }
    if filled == count {
      samples.values = values
      return samples
    }
    var next = 0
    for quality in samples.qualities {
      samples.values.append(quality.hasValue ? values[next] : .nan)
      if quality.hasValue { next += 1 }
    }
    return samples
  }
}
