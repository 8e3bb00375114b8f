import TwinCore

/// From ticks to instants, and back.
extension Archive {
  /// The last tick that was known at `instant`: that and all before it were counted at or before it. The clock may have
  /// been set back in between; what came after is known later all the same. `Int64.min` where there is none.
  func tick(asOf instant: Int64) throws(StoreError) -> Int64 {
    let spans = try shelf.allTickSpans()
    // The first body that reaches beyond the instant holds the answer, or the last tick before it does.
    var (low, high) = (0, spans.count)
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].instantMax <= instant { low = middle + 1 } else { high = middle }
    }
    guard low == spans.count else {
      let known = low > 0 ? spans[low - 1].last : Int64.min
      guard let times = try tickTimes(spans[low].body) else { return known }
      return Self.last(times.numbers, times.instants, upTo: instant) ?? known
    }
    let known = spans.last?.last ?? .min
    var found: Int64?
    for tick in ticks.records {
      guard tick.instant.nanoseconds <= instant else { break }
      found = tick.number
    }
    return found ?? known
  }

  private static func last(_ numbers: [Int64], _ instants: [Int64], upTo instant: Int64) -> Int64? {
    var found: Int64?
    for (number, at) in zip(numbers, instants) {
      guard at <= instant else { break }
      found = number
    }
    return found
  }

  /// The instants of ticks, which may come in any order but mostly rise. Of a tick whose body is damaged, that of the
  /// last one before it.
  func instants(of numbers: [Int64]) throws(StoreError) -> [Int64] {
    guard let least = numbers.min() else { return [] }
    let spans = try shelf.tickSpans(from: least)
    var found = numbers
    var row = 0
    while row < numbers.count {
      // The ticks at hand, and which numbers they answer.
      let (times, reach) = try self.times(around: numbers[row], spans)
      var rest = found.mutableSpan
      row = times.answer(&rest, from: row, while: reach)
    }
    return found
  }

  private func times(
    around number: Int64, _ spans: [Shelf.TickSpan]
  ) throws(StoreError) -> (TickTimes, ClosedRange<Int64>) {
    if let first = ticks.records.first, first.number <= number {
      return (
        TickTimes(ticks.records.map(\.number), ticks.records.map(\.instant.nanoseconds)), first.number...Int64.max
      )
    }
    var (low, high) = (0, spans.count)
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].first <= number { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return (TickTimes([], []), number...number) }
    // Backwards past damaged bodies; bounded by the number of bodies.
    for index in stride(from: low - 1, through: 0, by: -1) {
      guard let times = try tickTimes(spans[index].body) else { continue }
      let until = low < spans.count ? spans[low].first - 1 : max(number, spans[low - 1].last)
      return (times, spans[low - 1].first...max(until, spans[low - 1].first))
    }
    return (TickTimes([], []), number...number)
  }

  /// From the oldest tick that is kept to the newest.
  func tickEnds() throws(StoreError) -> (first: TickRecord, last: TickRecord)? {
    let spans = try shelf.allTickSpans()
    var (first, last) = (ticks.records.first, ticks.records.last)
    for span in spans {
      guard let body = try openTicks(span.body), body.count > 0 else { continue }
      first = body.record(0)
      break
    }
    if last == nil {
      for span in spans.reversed() {
        guard let body = try openTicks(span.body), body.count > 0 else { continue }
        last = body.record(body.count - 1)
        break
      }
    }
    guard let first, let last else { return nil }
    return (first, last)
  }
}
