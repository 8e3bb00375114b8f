import TwinCore

/// Where the weights of two hidden layers stand in one list.
struct NetworkLayers: Sendable, Equatable {
  let inputs: Int
  let width: Int
  let outputs: Int
  let first: Range<Int>
  let firstOffsets: Int
  let second: Range<Int>
  let secondOffsets: Int
  let third: Range<Int>
  let thirdOffsets: Int
  let count: Int

  init(inputs: Int, width: Int, outputs: Int) {
    (self.inputs, self.width, self.outputs) = (inputs, width, outputs)
    first = 0..<inputs * width
    firstOffsets = first.upperBound
    second = firstOffsets + width..<firstOffsets + width + width * width
    secondOffsets = second.upperBound
    third = secondOffsets + width..<secondOffsets + width + width * outputs
    thirdOffsets = third.upperBound
    count = thirdOffsets + outputs
  }
}

/// What a pass through the network leaves behind; no part of its state.
struct NetworkRoom: Sendable, Equatable {
  let layers: NetworkLayers
  var input: [Double]
  var first: [Double]
  var second: [Double]
  var output: [Double]
  var base: [Double]
  var pull: [Double]
  var firstPull: [Double]
  var secondPull: [Double]
  var begin: [Double]
  var trial: [Double]
  var rate: [Double]
  var sum: [Double]

  init(_ layers: NetworkLayers) {
    self.layers = layers
    input = Array(repeating: 0, count: layers.inputs)
    first = Array(repeating: 0, count: layers.width)
    (second, firstPull, secondPull) = (first, first, first)
    output = Array(repeating: 0, count: layers.outputs)
    (base, pull, begin, trial) = (output, output, output, output)
    (rate, sum) = (output, output)
  }

  static func == (a: NetworkRoom, b: NetworkRoom) -> Bool { a.layers == b.layers }
}

/// A fair sample of everything that was ever added (Vitter's algorithm R).
struct SampleReservoir: Sendable, Equatable {
  let capacity: Int
  let width: Int
  private(set) var seen = 0
  /// Row after row.
  var samples: [Double]

  init(capacity: Int, width: Int) {
    (self.capacity, self.width) = (capacity, width)
    samples = Array(repeating: 0, count: capacity * width)
  }

  var stored: Int { min(seen, capacity) }

  /// Where the next sample's row begins, if it is kept; draws one word once the reservoir is full.
  mutating func place(_ draws: inout Philox) -> Int? {
    let place = seen < capacity ? seen : draws.index(below: seen + 1)
    seen += 1
    return place < capacity ? place * width : nil
  }

  init(capacity: Int, width: Int, seen: Int, stored: [Double]) throws(CanonicalFault) {
    self.init(capacity: capacity, width: width)
    self.seen = seen
    guard seen >= 0, stored.count == self.stored * width else {
      throw CanonicalFault("reservoir of \(stored.count) numbers after \(seen) samples")
    }
    samples.replaceSubrange(0..<stored.count, with: stored)
  }
}
