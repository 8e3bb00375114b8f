import TwinCore

/// Ticks that are not sealed yet, in order.
struct TickWindow {
  private(set) var records: [TickRecord] = []
  /// By number, of ticks whose frames have an order of their own.
  private(set) var orders: [Int64: [Int]] = [:]
  private(set) var bytes = 0
  private(set) var instantMin = Int64.max
  private(set) var instantMax = Int64.min
  private(set) var day: Int64 = 0
  private(set) var firstCommit: Int64 = 0
  private(set) var openedAt: Int64 = 0

  var isEmpty: Bool { records.isEmpty }

  func takes(_ tick: TickRecord) -> Bool {
    isEmpty
      || (records.count < TickBody.ticksMax && bytes + tick.bytes.count <= TickBody.bytesTarget
        && Days.number(tick.instant.nanoseconds) == day)
  }

  mutating func append(_ tick: TickRecord, order: [Int]?, commit: Int64) {
    if let order { orders[tick.number] = order }
    let instant = tick.instant.nanoseconds
    if isEmpty { (day, firstCommit, openedAt) = (Days.number(instant), commit, instant) }
    records.append(tick)
    bytes += tick.bytes.count
    (instantMin, instantMax) = (min(instantMin, instant), max(instantMax, instant))
  }

  mutating func clear() {
    records.removeAll(keepingCapacity: true)
    orders = [:]
    (bytes, instantMin, instantMax) = (0, .max, .min)
  }

  /// The place of the first tick that is not below `number`.
  func index(notBefore number: Int64) -> Int {
    var (low, high) = (0, records.count)
    while low < high {
      let middle = (low + high) / 2
      if records[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
