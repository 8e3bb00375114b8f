internal import TwinCore

/// The weather of a temperate site: seasons, passing fronts, day and night, clouds; a pure function of local time.
///
/// Local time is in seconds since 1970-01-01T00:00 on the site's own clock, which the sun is taken to follow.
struct Weather: Sendable {
  struct State: Hashable, Sendable {
    /// °C
    var dryBulb: Double
    /// °C
    var dewPoint: Double
    /// °C
    var wetBulb: Double
    /// W/m² on the horizontal, direct and diffuse.
    var solar: Double
    /// Share of the sky, 0 to 1.
    var cloud: Double
  }

  /// °C over the year, and how far January and July are from it.
  var annualMean = 12.0
  var annualSwing = 9.0
  var latitude = 45.75

  static let yearSeconds = 31_556_952.0
  static let daySeconds = 86_400.0

  private let fronts: [(period: Double, phase: Double, size: Double)]
  private let clouds: SeededNoise
  private let moisture: SeededNoise
  private let gusts: SeededNoise

  init(seed: UInt64) {
    let draws = SeededNoise(seed: seed, name: "weather.fronts")
    // Incommensurable spans of 2.3 to 9.7 days: the sum does not come back within any run that matters.
    fronts = [2.3, 3.1, 4.7, 6.9, 9.7].enumerated().map { index, days in
      let at = Int64(2 * index)
      return (days * Self.daySeconds * (1 + 0.1 * draws.white(at)), draws.white(at + 1), 0.7 + 0.15 * days)
    }
    clouds = SeededNoise(seed: seed, name: "weather.clouds")
    moisture = SeededNoise(seed: seed, name: "weather.moisture")
    gusts = SeededNoise(seed: seed, name: "weather.gusts")
  }

  func state(at local: Double) -> State {
    let year = local / Self.yearSeconds
    let day = local / Self.daySeconds
    let cloud = min(1, max(0, 0.5 + 0.8 * clouds.smooth(at: local, period: 5 * 3600)))
    let season = annualMean - annualSwing * cosineOfTurns(year - 0.055)
    let synoptic = fronts.reduce(0) { $0 + $1.size * cosineOfTurns(local / $1.period + $1.phase) }
    // Coldest before sunrise, warmest at three in the afternoon, and flatter under clouds.
    let diurnal = (5.5 - 3.5 * cloud) * cosineOfTurns(day - 15.0 / 24)
    let dryBulb = season + synoptic + diurnal + 0.3 * gusts.smooth(at: local, period: 1200)
    let depression = 4.5 + 2.5 * moisture.smooth(at: local, period: 11 * 3600) - 2 * cloud
    let dewPoint = min(dryBulb - 0.2, season + synoptic - depression)
    return State(
      dryBulb: dryBulb, dewPoint: dewPoint, wetBulb: MoistAir.wetBulb(dryBulb: dryBulb, dewPoint: dewPoint),
      solar: solar(local: local, cloud: cloud), cloud: cloud)
  }

  /// Global radiation by the sun's height and the cloud cover.
  ///
  /// Source: F. Kasten, G. Czeplak, "Solar and terrestrial radiation dependent on the amount and type of cloud" (1980).
  private func solar(local: Double, cloud: Double) -> Double {
    let radians = Double.pi / 180
    let declination = -23.44 * radians * cosineOfTurns(local / Self.yearSeconds + 10 / 365.0)
    let hourCosine = cosineOfTurns(local / Self.daySeconds - 0.5)
    let height =
      Elementary.sin(latitude * radians) * Elementary.sin(declination)
      + Elementary.cos(latitude * radians) * Elementary.cos(declination) * hourCosine
    return max(0, 910 * height - 30) * (1 - 0.75 * Elementary.pow(cloud, 3.4))
  }
}
