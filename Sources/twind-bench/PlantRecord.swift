import Models
import Provenance
import Seams
import SitePack
import TwinCore

/// What a plant's points read, one row a model step; a model of it by its pack; and what a model sees of a row.
struct PlantRecord {
  /// By column.
  private let columns: [[Double]]
  let count: Int

  /// A CSV whose head names points by the last part of their ids; an empty field is no reading.
  ///
  /// Columns come in the order of the model's inputs, then of its outputs.
  init(_ path: String, of model: PlantModel) throws {
    let file = try SystemFileStore().open(path, .read)
    let text = String(decoding: try file.read(Int(try file.size), at: 0), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline)
    guard let head = lines.first?.split(separator: ",").map(String.init) else { throw BenchFault("\(path) is empty") }
    let places = try model.columns.map { name in
      // A constant needs no column.
      if name.isEmpty { return 0 }
      guard let place = head.firstIndex(of: name) else { throw BenchFault("\(path) has no column \(name)") }
      return place
    }
    var columns: [[Double]] = Array(repeating: [], count: places.count)
    for line in lines.dropFirst() {
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      for (index, place) in places.enumerated() {
        columns[index].append(place < fields.count ? Double(fields[place]) ?? .nan : .nan)
      }
    }
    (self.columns, count) = (columns, lines.count - 1)
  }

  /// In the unit of the physics.
  func input(_ index: Int, at row: Int, _ definition: ModelDefinition) -> Double {
    let binding = definition.inputs[index]
    guard case .point(let point) = binding.source else {
      if case .constant(let value) = binding.source { return value }
      return .nan
    }
    let from = binding.reading == .start ? row - 1 : row
    return from >= 0 ? point.read(columns[index][min(from, count - 1)]) : .nan
  }

  func output(_ index: Int, at row: Int, _ definition: ModelDefinition) -> Double {
    definition.outputs[index].read(columns[definition.inputs.count + index][row])
  }

  /// Row as sample.
  func sample(_ row: Int, _ definition: ModelDefinition, into sample: inout ModelSample) {
    sample.step = Int64(row)
    sample.instant = Instant(nanoseconds: Int64(row) * definition.stepNanoseconds)
    for index in sample.inputs.indices { sample.inputs[index] = input(index, at: row, definition) }
    for index in sample.outputs.indices { sample.outputs[index] = output(index, at: row, definition) }
  }

  /// Inputs of the rows that follow, as they will be: by step ahead and input. Those never known are what they are now.
  func plan(after row: Int, _ definition: ModelDefinition, into plan: inout [Double]) {
    let inputs = definition.inputs.count
    for ahead in 1...(definition.horizons.last ?? 1) {
      for index in 0..<inputs {
        plan[(ahead - 1) * inputs + index] = input(index, at: min(count - 1, row + ahead), definition)
      }
    }
  }

  /// Rows as a calibration takes them.
  func table(_ rows: Range<Int>, _ definition: ModelDefinition) -> ObservationTable {
    var (inputs, outputs): ([Double], [Double]) = ([], [])
    for row in rows {
      inputs += definition.inputs.indices.map { input($0, at: min(count - 1, row + 1), definition) }
      outputs += definition.outputs.indices.map { output($0, at: row, definition) }
    }
    return ObservationTable(
      secondsPerStep: definition.stepSeconds, steps: rows.count, inputs: inputs, outputs: outputs)
  }
}

/// The model that a pack's own points propose.
struct PlantModel {
  let definition: ModelDefinition
  /// Of inputs, then outputs: the last part of each point's id.
  let columns: [String]

  /// All that a pack has.
  static func all(pack folder: String) throws -> [PlantModel] {
    let result = Pack.load(try PackReader.read(folder))
    guard let pack = result.pack else { throw BenchFault("\(folder): \(result.problems.first.map { "\($0)" } ?? "?")") }
    guard !pack.models.isEmpty else { throw BenchFault("\(folder) proposes no model") }
    return pack.models.map { PlantModel($0, of: pack) }
  }

  private init(_ definition: ModelDefinition, of pack: Pack) {
    func column(_ index: PointIndex) -> String {
      pack.points[index.position].id.split(separator: ".").last.map(String.init) ?? ""
    }
    self.definition = definition
    columns =
      definition.inputs.map { binding in
        if case .point(let point) = binding.source { column(point.point) } else { "" }
      } + definition.outputs.map { column($0.point) }
  }

  /// The first that shows `point`.
  init(pack folder: String, showing point: String) throws {
    guard let model = try Self.all(pack: folder).first(where: { $0.outputs.contains(point) }) else {
      throw BenchFault("no model of \(folder) shows \(point)")
    }
    self = model
  }

  private var outputs: ArraySlice<String> { columns[definition.inputs.count...] }

  /// The place among outputs.
  func output(_ point: String) -> Int {
    outputs.firstIndex(of: point).map { $0 - definition.inputs.count } ?? 0
  }
}
