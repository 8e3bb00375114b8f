// A table of measurements or of a simulation: comma-separated, the first line names the columns, one row a step.
// Columns are named by point ids; others are passed over. An empty cell, `nan` or `NA` is an absent reading. A column
// `step` counts rows where some are missing; without it they follow each other.

public import Harnesses
public import Models
public import SiteKernel
public import TwinCore

/// A history from a file instead of a site's record: the same samples, so the same training.
public struct HistoryFile: Sendable {
  let columns: [String: Int]
  /// Row after row.
  let cells: [[Double]]

  public static let bytesMax = 256 << 20
  static let columnsMax = 4096

  /// Fault: `training.history_malformed`, with the line.
  public init(_ bytes: [UInt8]) throws(TrainingFault) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)[...]
    guard let head = lines.popFirst() else { throw Self.malformed("it is empty", line: 1) }
    let names = Self.fields(head)
    guard names.count <= Self.columnsMax else { throw Self.malformed("\(names.count) columns", line: 1) }
    var columns: [String: Int] = [:]
    for (place, name) in names.enumerated() where columns.updateValue(place, forKey: name) != nil {
      throw Self.malformed("column \(name) stands twice", line: 1)
    }
    var rows: [[Double]] = []
    for (number, line) in lines.enumerated() {
      let fields = Self.fields(line)
      guard fields.count == names.count else {
        throw Self.malformed("\(fields.count) cells under \(names.count) columns", line: number + 2)
      }
      guard rows.count < 2 * ModelHistory.samplesMax else { throw Self.malformed("too many rows", line: number + 2) }
      var row: [Double] = []
      for (place, field) in fields.enumerated() {
        guard let value = Self.number(field) else {
          // A column that no model reads may hold anything.
          row.append(.nan)
          if place == columns["step"] { throw Self.malformed("step \(field) is no number", line: number + 2) }
          continue
        }
        row.append(value)
      }
      rows.append(row)
    }
    (self.columns, cells) = (columns, rows)
  }

  /// The samples that a model makes of it, a row every `nanoseconds`; its own step is a whole number of rows.
  public func history(
    _ model: ModelDefinition, of site: SiteDefinition, rowNanoseconds: Int64, from begin: Instant
  ) throws(TrainingFault) -> ModelHistory {
    for point in Self.points(of: model) where columns[site.points[point.position].id] == nil {
      throw TrainingFault(
        .historyMalformed, "the file has no column \(site.points[point.position].id), which model \(model.id) reads",
        remedy: "name its columns by the pack's point ids: twinctl points")
    }
    guard rowNanoseconds > 0, model.stepNanoseconds % rowNanoseconds == 0 else {
      throw TrainingFault(
        .historyMalformed, "a row of \(rowNanoseconds) ns does not divide the model's step of \(model.stepNanoseconds)",
        remedy: "give --step as the time between two rows of the file")
    }
    var image = PointImage(count: site.points.count, now: Uptime(nanoseconds: 0))
    var feed = ModelFeed(model)
    var samples: [ModelSample] = []
    var last = -1.0
    for (number, row) in cells.enumerated() {
      let step = columns["step"].map { row[$0] } ?? Double(number)
      guard step > last, step < 1e9, step == step.rounded() else {
        throw Self.malformed("step \(step) after step \(last)", line: number + 2)
      }
      last = step
      let now = Int64(step) * rowNanoseconds
      let instant = begin.advanced(byNanoseconds: now)
      image.now = Uptime(nanoseconds: now)
      for (place, point) in site.points.enumerated() {
        guard let column = columns[point.id] else { continue }
        let value = row[column]
        // A row is a reading; where it is absent what was read before is not the present.
        image.states[place] = PointImage.State(
          value: value.isFinite ? value : image.states[place].value, quality: value.isFinite ? .good : .failed,
          effective: instant, uptime: image.now, freshUntil: image.now.advanced(byNanoseconds: rowNanoseconds))
      }
      if feed.take(image, at: instant, isClockTrusted: true, model) { samples.append(feed.sample) }
    }
    return ModelHistory(samples)
  }

  private static func points(of model: ModelDefinition) -> [PointIndex] {
    let inputs = model.inputs.compactMap { binding -> PointIndex? in
      if case .point(let point) = binding.source { return point.point }
      return nil
    }
    return inputs + model.outputs.map(\.point)
  }

  private static func fields(_ line: ArraySlice<UInt8>) -> [String] {
    let trimmed = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    return trimmed.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
      let text = String(decoding: $0, as: UTF8.self)
      let words = text.split(separator: " ")
      let bare = words.joined(separator: " ")
      return bare.count > 1 && bare.first == "\"" && bare.last == "\"" ? String(bare.dropFirst().dropLast()) : bare
    }
  }

  private static func number(_ text: String) -> Double? {
    text.isEmpty || text == "NA" ? .nan : Double(text)
  }

  private static func malformed(_ problem: String, line: Int) -> TrainingFault {
    TrainingFault(
      .historyMalformed, "line \(line) of the history: \(problem)",
      remedy: "write one line of column names, then one line of numbers for each step")
  }
}
