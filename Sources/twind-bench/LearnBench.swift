import Models
import TwinCore

/// What models cost a gateway, by CPU time.
enum LearnBench {
  static func run() throws {
    try observer()
  }

  /// One step of time and one reading of 15 states: five of the physics, ten parameters. Every step has other inputs.
  private static func observer() throws {
    var observer = JointObserver(zone)
    let rows = (0..<96).map { step -> [Double] in
      let part = Double(step) / 96
      return [10 * part, 20 + 8 * part, 0.2 + part, step % 3 == 0 ? 1 : 0.1]
    }
    let rounds = 100
    let spent = Spent.leastOf(7) {
      for _ in 0..<rounds {
        for row in rows {
          unsafe row.withUnsafeBufferPointer { _ = unsafe observer.predict($0, seconds: 900) }
          observer.update(output: 0, value: 21 + row[3])
        }
      }
    }
    guard observer.mean.allSatisfy(\.isFinite) else { throw BenchFault("the observer lost its state") }
    let microseconds = spent.cpuSeconds * 1e6 / Double(rounds * rows.count)
    print(Figure("learn.ekf_update_us", microseconds, "us", .atMost(30)))
  }

  /// Air, furniture, walls, a coil and the heat that nobody measures; kJ/K, kW/K, kW.
  private static var zone: BilinearModel {
    typealias Term = BilinearModel.Term
    let capacities = [1500.0, 6000, 60_000, 50]
    let gains = [("G_air_furniture", 2.0), ("G_air_wall", 1.5), ("G_wall_outdoor", 0.3), ("G_air_outdoor", 0.1)]
    let parameters =
      ["C_air", "C_furniture", "C_wall", "C_coil"].enumerated().map { ($1, capacities[$0]) } + gains
      + [("g_people", 4), ("g_coil", 1)]
    var terms: [Term] = []
    func couple(_ a: Int, _ column: BilinearModel.Column, _ gain: Int) {
      let powers = [BilinearModel.Power(gain, 1), BilinearModel.Power(a, -1)]
      terms.append(Term(row: a, column: column, scale: 1, powers: powers))
      terms.append(Term(row: a, column: .state(a), scale: -1, powers: powers))
    }
    couple(0, .state(1), 4)
    couple(1, .state(0), 4)
    couple(0, .state(2), 5)
    couple(2, .state(0), 5)
    couple(2, .input(0), 6)
    couple(0, .input(0), 7)
    couple(3, .input(1), 9)
    for (row, column) in [(0, BilinearModel.Column.state(3)), (0, .state(0)), (3, .state(3))] {
      let scale = column == .state(3) && row == 0 ? 1.006 : -1.006
      terms.append(Term(row: row, column: column, scale: scale, powers: [.init(row, -1)], multipliers: [2]))
    }
    terms.append(Term(row: 0, column: .input(3), scale: 1, powers: [.init(8, 1), .init(0, -1)]))
    terms.append(Term(row: 0, column: .state(4), scale: 1, powers: [.init(0, -1)]))
    terms.append(Term(row: 4, column: .state(4), scale: -1 / 21_600))
    return BilinearModel(
      states: ["air", "furniture", "wall", "coil", "heat"].map {
        .init(
          name: $0, unit: "Cel", initialMean: $0 == "heat" ? 0 : 20, initialVariance: 1, noiseIntensity: 1e-6,
          isBias: $0 == "heat")
      },
      inputs: ["outdoor", "supply", "flow", "people"].map { .init(name: $0, unit: "1") },
      parameters: parameters.map { .init(name: $0.0, unit: "1", prior: $0.1, spread: 0.3) },
      outputs: [.init(name: "air", unit: "Cel", state: 0, noiseVariance: 0.01)], terms: terms)
  }
}
