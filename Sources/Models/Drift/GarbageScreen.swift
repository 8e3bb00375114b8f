public import TwinCore

/// Looks at readings before any model learns from them, and names what is wrong with one.
///
/// Each point is held against its own recent mean and spread. What is named is kept from the screen's own state as
/// well, but for jumps that last: where a point really has moved, its readings are believed after `jumpsMax` of them.
public struct GarbageScreen: Sendable, Equatable {
  /// Readings that teach a point's mean and spread before anything but time, NaN and repeats is named.
  public static let readingsMin = 32
  /// Jumps in a row after which the point is where it jumped to.
  public static let jumpsMax = 16
  /// Standard deviations that no measurement strays, and within which a guess fits.
  private static let strayMax = 8.0
  private static let fitMax = 3.0
  /// What a unit may be off by: SI prefixes, per cent, hours and minutes, kWh and MJ; each way.
  private static let factors = [1e3, 1e6, 100, 10, 60, 3600, 3.6, 1.8]
  /// Readings over which mean and spread are taken.
  private static let memory = 256.0

  private struct Place: Sendable, Equatable {
    var at = Int64.min
    var value = 0.0
    var count = 0
    var mean = 0.0
    var variance = 0.0
    var jumps = 0
    /// Of what was refused, to find whom it belongs to.
    var refused = 0.0
    var refusedAt = Int64.min
    var stuck: StuckWatch

    init(_ runLength: Double) { stuck = StuckWatch(runLength: runLength) }
  }

  public var points: Int { places.count }
  private let runLength: Double
  private var places: [Place]

  /// For so many points; `runLength` is the mean number of readings between false alarms of a point that repeats.
  public init(points: Int, runLength: Double = 1e6) {
    self.runLength = runLength
    places = Array(repeating: Place(runLength), count: points)
  }

  /// What is wrong with a reading, nil where it may be learnt from. Of two swapped points the first of a time is a
  /// jump, and the second names both.
  public mutating func check(point: Int, value: Double, atNanoseconds at: Int64) -> GarbageCause? {
    guard value.isFinite else { return .nonFinite }
    let place = places[point]
    if at < place.at { return .reversedTime }
    if at == place.at { return .repeated }
    if places[point].stuck.update(value) == .alarm {
      places[point].at = at
      return .constant
    }
    if place.count >= Self.readingsMin, let cause = strayed(point, value, at) {
      places[point].at = at
      (places[point].refused, places[point].refusedAt) = (value, at)
      if cause != .jump || places[point].jumps < Self.jumpsMax { return cause }
      forget(point)
    }
    learn(point, value, at)
    return nil
  }

  private func distance(_ point: Int, _ value: Double) -> Double {
    let place = places[point]
    // A point that hardly moves may move by a thousandth of itself.
    let scale = max(place.variance.squareRoot(), 1e-3 * place.mean.magnitude, 1e-9)
    return (value - place.mean).magnitude / scale
  }

  private mutating func strayed(_ point: Int, _ value: Double, _ at: Int64) -> GarbageCause? {
    guard distance(point, value) > Self.strayMax else {
      places[point].jumps = 0
      return nil
    }
    for factor in Self.factors {
      if fitsScaled(point, value / factor) { return .unit(factor: factor) }
      if fitsScaled(point, value * factor) { return .unit(factor: 1 / factor) }
    }
    for other in places.indices where other != point && places[other].count >= Self.readingsMin {
      let theirs = places[other].refusedAt == at ? places[other].refused : places[other].value
      if places[other].at == at, distance(other, value) < Self.fitMax, distance(point, theirs) < Self.fitMax {
        return .swapped(with: other)
      }
    }
    places[point].jumps += 1
    return .jump
  }

  /// Whether a value in the right unit fits; near nothing everything would.
  private func fitsScaled(_ point: Int, _ value: Double) -> Bool {
    distance(point, value) < Self.fitMax && distance(point, 0) > 2 * Self.fitMax
  }

  private mutating func forget(_ point: Int) {
    let place = places[point]
    (places[point].count, places[point].jumps, places[point].variance) = (1, 0, place.variance)
    places[point].mean = place.refused
  }

  private mutating func learn(_ point: Int, _ value: Double, _ at: Int64) {
    var place = places[point]
    place.count = min(place.count + 1, 1 << 30)
    let rate = max(1 / Double(place.count), 1 / Self.memory)
    let deviation = value - place.mean
    place.mean += rate * deviation
    // Values whose square overflows are of no unit that there is.
    place.variance += rate * ((1 - rate) * deviation * deviation - place.variance)
    if !place.mean.isFinite || !place.variance.isFinite { (place.mean, place.variance, place.count) = (value, 0, 1) }
    (place.at, place.value, place.jumps) = (at, value, 0)
    places[point] = place
  }

  /// Canonical form: version, run length, and for each point: time, value, count, mean, variance, jumps, refused value
  /// and its time, stuck watch.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(3)
    writer.integer(1)
    writer.double(runLength)
    writer.array(places.count)
    for place in places {
      writer.integer(place.at)
      writer.double(place.value)
      writer.integer(place.count)
      writer.double(place.mean)
      writer.double(place.variance)
      writer.integer(place.jumps)
      writer.double(place.refused)
      writer.integer(place.refusedAt)
      place.stuck.encode(to: &writer)
    }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(2, version: 1)
    let runLength = try readRunLength(&reader)
    self.init(points: try reader.array(), runLength: runLength)
    for point in places.indices {
      var place = Place(runLength)
      (place.at, place.value, place.count) = (try reader.integer(), try reader.double(), try reader.int())
      (place.mean, place.variance, place.jumps) = (try reader.double(), try reader.double(), try reader.int())
      (place.refused, place.refusedAt) = (try reader.double(), try reader.integer())
      place.stuck = try StuckWatch(from: &reader)
      let numbers = [place.value, place.mean, place.variance, place.refused]
      guard numbers.allSatisfy(\.isFinite), place.variance >= 0, place.count >= 0, place.jumps >= 0,
        place.stuck.runLength == runLength
      else { throw CanonicalFault("screen of point \(point) at \(place.mean) ± \(place.variance)") }
      places[point] = place
    }
  }
}
