import Glibc
import Harnesses
import Models
import SiteKernel
import Training
import TwinCore

/// A room that is heated: what the tests train on, and what they know of it beforehand.
enum Room {
  static let stepNanoseconds: Int64 = 900_000_000_000
  static let step = 900.0
  static let tau = 6 * 3600.0
  static let gain = 2e-3
  static let points = ["room.t", "room.outdoor_t", "room.heat"]

  static func physics(tau prior: Double = 3 * 3600) -> BilinearModel {
    BilinearModel(
      states: [
        .init(
          name: "air", unit: "Cel", initialMean: 20, initialVariance: 25, noiseIntensity: 1e-4 / step),
        .init(
          name: "bias", unit: "K/s", initialMean: 0, initialVariance: 1e-10, noiseIntensity: 1e-14, isBias: true),
      ],
      inputs: [.init(name: "outdoor", unit: "Cel"), .init(name: "heat", unit: "1")],
      parameters: [
        .init(name: "tau", unit: "s", prior: prior, spread: 1),
        .init(name: "gain", unit: "K/s", prior: 1e-3, spread: 1),
        .init(name: "tau_bias", unit: "s", prior: 86_400, spread: 0.5),
      ],
      outputs: [.init(name: "t", unit: "Cel", state: 0, noiseVariance: 1e-3)],
      terms: [
        .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1)]),
        .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1)]),
        .init(row: 0, column: .input(1), scale: 1, powers: [.init(1, 1)]),
        .init(row: 0, column: .state(1), scale: 1),
        .init(row: 1, column: .state(1), scale: -1, powers: [.init(2, -1)]),
      ])
  }

  static func model(_ id: String = "room", tau prior: Double = 3 * 3600) -> ModelDefinition {
    ModelDefinition(
      id: id, asset: "room", templates: ["test.room"], stepNanoseconds: stepNanoseconds, physics: physics(tau: prior),
      inputs: [
        InputBinding(.point(PointBinding(PointIndex(1))), outlook: .shifted),
        InputBinding(.point(PointBinding(PointIndex(2))), reading: .start),
      ],
      outputs: [PointBinding(PointIndex(0))], horizons: [1, 4, 12])
  }

  static func site(_ models: [ModelDefinition]) -> SiteDefinition {
    let settings = EstimatorSettings(
      measurementVariance: 0, processVariancePerSecond: 0, isContinuous: true, halfLifeNanoseconds: stepNanoseconds)
    return SiteDefinition(
      id: "test.room", name: "room",
      points: points.map {
        PointDefinition(id: $0, unit: "1", staleNanoseconds: 2 * stepNanoseconds, estimator: settings)
      },
      groups: [GroupDefinition(points: points.indices.map { PointIndex($0) })], models: models)
  }

  /// Readings step by step: outdoor air in days, heat by the clock, noise by a seed.
  static func readings(_ steps: Int, seed: UInt64) -> [[Double]] {
    var random = Philox(seed: seed, stream: 0)
    var air = 20.0
    var heat = 0.0
    return (0..<steps).map { step in
      let outdoor = 5 + 5 * Elementary.sin(6.283185307179586 * Double(step % 96) / 96) + 0.3 * random.normal()
      // By the clock and by chance, not by the air: so what is forecast is the room, not its thermostat.
      if step % 12 == 0 { heat = (step % 96 > 28 && step % 96 < 72 ? 0.6 : 0.2) + 0.2 * random.normal() }
      // Many short steps within one: what is fitted must not be how it was simulated.
      for _ in 0..<90 { air += 10 * ((outdoor - air) / tau + gain * heat) }
      air += 0.01 * random.normal()
      return [air + 0.03 * random.normal(), outdoor, heat]
    }
  }

  static func begin(_ step: Int) -> Instant {
    Instant(nanoseconds: 1_700_000_000_000_000_000).advanced(byNanoseconds: Int64(step) * stepNanoseconds)
  }

  /// Inputs held in the step before a sample, as a feed gives them.
  static func history(_ readings: [[Double]]) -> ModelHistory {
    ModelHistory(
      (1..<readings.count).map { step in
        ModelSample(
          step: Int64(step), instant: begin(step), inputs: [readings[step][1], readings[step][2]],
          outputs: [readings[step][0]])
      })
  }

  /// A folder that is gone when the test is over.
  final class Folder {
    let path: String

    init() {
      var template = Array("/tmp/twind-learn-XXXXXX".utf8CString)
      path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit { unsafe _ = system("chmod -R u+w \(path); rm -rf \(path)") }
  }
}
