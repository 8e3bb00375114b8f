import Calibration
import Models
import Seams
import TwinCore

/// Whether the watch names what is broken, and keeps quiet where nothing is.
enum FaultBench {
  private static let day = 96

  /// One run with a fault: `CSV ONSET ANSWER[|ANSWER…]`, an answer being KIND:NAME with KIND one of sensor, actuator
  /// and fouling; any of the answers is right.
  private struct Trial {
    var path: String
    var onset: Int
    var answers: [String]

    init(_ line: Substring) throws {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 3, let onset = Int(words[1]) else { throw BenchFault("\(line) is no trial") }
      (path, self.onset) = (words[0], onset)
      answers = words[2].split(separator: "|").map(String.init)
    }
  }

  /// Of one model, for records that begin alike.
  private struct Known {
    var model: Int
    var head: [Double]
    var run: ModelRun
  }

  static func run(pack: String, list: String) throws {
    let file = try SystemFileStore().open(list, .read)
    let lines = String(decoding: try file.read(Int(try file.size), at: 0), as: UTF8.self).split(separator: "\n")
    let models = try PlantModel.all(pack: pack)
    var known: [Known] = []
    var (right, kinds, early) = (0, 0, 0)
    var delays: [Int] = []
    for line in lines {
      let trial = try Trial(line)
      let found = try verdict(models, trial.path, &known)
      let kind = found.name.split(separator: ":").first ?? ""
      if found.row < trial.onset {
        early += found.name == "nothing" ? 0 : 1
      } else {
        delays.append(found.row - trial.onset)
        if trial.answers.contains(where: { $0.split(separator: ":").first == kind }) { kinds += 1 }
        if trial.answers.contains(found.name) { right += 1 }
      }
      if ProcessFacts.isVerbose {
        print("# \(trial.path.split(separator: "/").last ?? "") @\(trial.onset): \(found.name) at \(found.row)")
      }
    }
    let percent = 100 / Double(max(1, lines.count))
    print(Figure("drift.fault_kind_right_percent", percent * Double(kinds), "%", .atLeast(90)))
    print(Figure("drift.fault_named_right_percent", percent * Double(right), "%", .none))
    print(Figure("drift.fault_found_percent", percent * Double(delays.count), "%", .none))
    print(Figure("drift.fault_false_before", Double(early), "", .atMost(0)))
    if !delays.isEmpty {
      print(Figure("drift.fault_delay_median_h", Double(delays.sorted()[delays.count / 2]) / 4, "h", .none))
    }
  }

  /// The first drift that any of the models finds.
  private static func verdict(
    _ models: [PlantModel], _ path: String, _ known: inout [Known]
  ) throws -> (row: Int, name: String) {
    var first = (row: Int.max, name: "nothing")
    let rows = 0..<PlantBench.calibrationDays * day
    for (place, model) in models.enumerated() {
      let record = try PlantRecord(path, of: model)
      let head = record.table(rows, model.definition).outputs
      func isAlike(_ other: [Double]) -> Bool { zip(head, other).allSatisfy { $0.bitPattern == $1.bitPattern } }
      if !known.contains(where: { $0.model == place && isAlike($0.head) }) {
        // What teaches is lived once.
        known.append(Known(model: place, head: head, run: try fitted(model, record, rows)))
      }
      guard var run = known.first(where: { $0.model == place && isAlike($0.head) })?.run else { continue }
      var sample = ModelSample(inputs: model.definition.inputs.count, outputs: model.definition.outputs.count)
      for row in rows.upperBound..<record.count where row < first.row {
        if case .drift(let kind) = run.drift.verdict {
          first = (row, name(kind, model))
          break
        }
        record.sample(row, model.definition, into: &sample)
        run.step(sample, model.definition)
        if case .drift(let kind) = run.drift.verdict { first = (row, name(kind, model)) }
      }
    }
    return first.name == "nothing" ? (-1, "nothing") : first
  }

  private static func name(_ kind: DriftKind, _ model: PlantModel) -> String {
    switch kind {
    case .sensor(let output): "sensor:\(model.columns[model.definition.inputs.count + output])"
    case .actuator(let input): "actuator:\(model.columns[input])"
    case .fouling(let parameter): "fouling:\(model.definition.physics.parameters[parameter].name)"
    case .regime: "regime"
    }
  }

  /// A year without a fault: every drift that is found in it is a false alarm. Each model is fitted again each month
  /// on the ten days before, and after a false alarm, as a site would.
  static func year(pack: String, record path: String) throws {
    var (alarms, suspicions, fits, days) = (0, 0, 0, 0)
    for model in try PlantModel.all(pack: pack) {
      let record = try PlantRecord(path, of: model)
      let definition = model.definition
      days = record.count / day
      var sample = ModelSample(inputs: definition.inputs.count, outputs: definition.outputs.count)
      var run: ModelRun?
      var (begun, isSuspected) = (0, false)
      for row in 0..<record.count {
        if row % day == 0, row >= PlantBench.calibrationDays * day, run == nil || row - begun >= 30 * day {
          run = try fitted(model, record, row - PlantBench.calibrationDays * day..<row)
          (begun, isSuspected, fits) = (row, false, fits + 1)
        }
        guard run != nil else { continue }
        record.sample(row, definition, into: &sample)
        run?.step(sample, definition)
        let verdict = run?.drift.verdict ?? .ok
        if verdict == .suspect(.unexplained), !isSuspected { suspicions += 1 }
        isSuspected = verdict == .suspect(.unexplained)
        guard case .drift(let kind) = verdict else { continue }
        alarms += 1
        if ProcessFacts.isVerbose {
          print("# \(definition.id): false alarm on day \(row / day), row \(row): \(name(kind, model))")
        }
        run = nil
      }
    }
    print(Figure("drift.false_alarms_clean_year", Double(alarms), "", .atMost(0)))
    print(Figure("drift.suspicions_clean_year", Double(suspicions), "", .none))
    print(Figure("drift.clean_days", Double(days), "d", .none))
    print(Figure("drift.clean_calibrations", Double(fits), "", .none))
  }

  /// Fitted on these rows, and having lived them.
  private static func fitted(_ model: PlantModel, _ record: PlantRecord, _ rows: Range<Int>) throws -> ModelRun {
    var run = PlantBench.begun(model.definition, try PlantBench.calibrate(model, record, rows))
    var sample = ModelSample(inputs: model.definition.inputs.count, outputs: model.definition.outputs.count)
    for row in rows {
      record.sample(row, model.definition, into: &sample)
      run.step(sample, model.definition)
    }
    return run
  }
}
