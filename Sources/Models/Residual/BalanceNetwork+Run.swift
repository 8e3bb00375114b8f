import TwinCore

extension BalanceNetwork {
  /// In spreads or rate spreads: nothing plausible lies further away.
  static let sizeMax = 20.0

  func standard(_ value: Double, _ column: Int) -> Double {
    ((value - plant.centres[column]) / plant.spreads[column]).clamped(Self.sizeMax)
  }

  /// Of the balance, so that its error counts like one rate's.
  var powerSpread: Double {
    var sum = 0.0
    for row in 0..<states {
      let part = plant.capacities[row] * plant.rateSpreads[row]
      sum += part * part
    }
    return sum > 0 ? sum.squareRoot() : 1
  }

  /// The rates at a point (states, then inputs), in the states' units per second.
  public mutating func rates(_ point: [Double]) -> [Double] {
    precondition(point.count == columns, "\(point.count) values for \(columns)")
    for column in 0..<columns { room.input[column] = standard(point[column], column) }
    forward()
    return (0..<states).map { room.output[$0] * plant.rateSpreads[$0] }
  }

  /// No rate can be larger than this: tanh is at most 1.
  public func largestRate(_ row: Int) -> Double {
    let layers = room.layers
    var sum = weights[layers.thirdOffsets + row].magnitude
    for unit in 0..<layers.width { sum += weights[layers.third.lowerBound + unit * layers.outputs + row].magnitude }
    return sum * plant.rateSpreads[row]
  }

  /// Moves the states on with the inputs held, by the fourth-order method of Runge and Kutta.
  ///
  /// The network sees states within their range only, and outside it a state is pulled back: it is never further out
  /// than `largestRate` · `returnSeconds`. False, and nothing moves, where a number is not finite or the time is
  /// negative or above 10,000 return times.
  @discardableResult
  public mutating func advance(
    _ state: inout [Double], inputs: UnsafeBufferPointer<Double>, seconds: Double
  ) -> Bool {
    precondition(state.count == states && inputs.count == columns - states, "\(state.count), \(inputs.count) values")
    guard seconds >= 0, seconds <= 10_000 * settings.returnSeconds, state.allSatisfy(\.isFinite),
      unsafe inputs.allSatisfy({ $0.isFinite })
    else { return false }
    for column in states..<columns { room.input[column] = unsafe standard(inputs[column - states], column) }
    // Half a return time keeps the pull stable and the method exact enough.
    let parts = max(1, (2 * seconds / settings.returnSeconds + 0.5).nearestInteger)
    let step = seconds / parts
    for _ in 0..<Int(parts) {
      for row in 0..<states { (room.begin[row], room.trial[row], room.sum[row]) = (state[row], state[row], 0) }
      for (stage, weight) in [(0.5, 1.0), (0.5, 2.0), (1, 2.0), (0, 1.0)] {
        slopes()
        for row in 0..<states {
          room.sum[row] += weight * room.rate[row]
          room.trial[row] = room.begin[row] + stage * step * room.rate[row]
        }
      }
      for row in 0..<states { state[row] = room.begin[row] + step / 6 * room.sum[row] }
    }
    return true
  }

  /// The rates at the trial state, with the pull back into the range.
  private mutating func slopes() {
    for row in 0..<states {
      room.input[row] = standard(max(plant.lows[row], min(plant.highs[row], room.trial[row])), row)
    }
    forward()
    for row in 0..<states {
      let inside = max(plant.lows[row], min(plant.highs[row], room.trial[row]))
      room.rate[row] =
        room.output[row] * plant.rateSpreads[row] - (room.trial[row] - inside) / settings.returnSeconds
    }
  }

  /// output ← f(input).
  mutating func forward() {
    let layers = room.layers
    let (d, h, n) = (layers.inputs, layers.width, layers.outputs)
    for unit in 0..<h { room.first[unit] = weights[layers.firstOffsets + unit] }
    for column in 0..<d {
      let (value, start) = (room.input[column], layers.first.lowerBound + column * h)
      for unit in 0..<h { room.first[unit] += value * weights[start + unit] }
    }
    for unit in 0..<h {
      room.first[unit] = Elementary.tanh(room.first[unit])
      room.second[unit] = weights[layers.secondOffsets + unit]
    }
    for from in 0..<h {
      let (value, start) = (room.first[from], layers.second.lowerBound + from * h)
      for unit in 0..<h { room.second[unit] += value * weights[start + unit] }
    }
    for row in 0..<n { room.output[row] = weights[layers.thirdOffsets + row] }
    for from in 0..<h {
      room.second[from] = Elementary.tanh(room.second[from])
      let (value, start) = (room.second[from], layers.third.lowerBound + from * n)
      for row in 0..<n { room.output[row] += value * weights[start + row] }
    }
  }

  /// Adds one sample's gradient; gives its loss. The sample: columns, rates, power, all in spreads, NaN unknown.
  mutating func accumulate(_ samples: [Double], at start: Int) -> Double {
    let layers = room.layers
    let (d, n) = (layers.inputs, layers.outputs)
    for column in 0..<d { room.input[column] = samples[start + column] }
    forward()
    var loss = 0.0
    for row in 0..<n {
      let target = samples[start + d + row]
      let error = target.isNaN ? 0 : room.output[row] - target
      loss += 0.5 * error * error / Double(n)
      room.pull[row] = error / Double(n)
      room.base[row] = room.output[row]
    }
    let power = samples[start + d + n]
    if !power.isNaN, settings.balanceWeight > 0 {
      var error = -power
      let spread = powerSpread
      for row in 0..<n { error += plant.capacities[row] * plant.rateSpreads[row] / spread * room.output[row] }
      loss += 0.5 * settings.balanceWeight * error * error
      for row in 0..<n {
        room.pull[row] += settings.balanceWeight * error * plant.capacities[row] * plant.rateSpreads[row] / spread
      }
    }
    backward()
    if settings.slopeWeight > 0 {
      for slope in plant.slopes { loss += accumulate(slope, samples, at: start) }
    }
    return loss
  }

  /// In rate spreads a spread: a penalty that ended at zero would leave slopes a little below it.
  static let leastSlope = 0.02

  /// Over a small difference, so that its gradient is two ordinary ones.
  private mutating func accumulate(_ slope: Slope, _ samples: [Double], at start: Int) -> Double {
    let difference = 0.1
    let weight = settings.slopeWeight / Double(plant.slopes.count)
    let sign = slope.isRising ? 1.0 : -1.0
    room.input[slope.column] = samples[start + slope.column] + difference
    forward()
    let wrong = Self.leastSlope - sign * (room.output[slope.row] - room.base[slope.row]) / difference
    defer { room.input[slope.column] = samples[start + slope.column] }
    guard wrong > 0 else { return 0 }
    for row in room.pull.indices { room.pull[row] = 0 }
    room.pull[slope.row] = -sign * weight * wrong / difference
    backward()
    room.input[slope.column] = samples[start + slope.column]
    forward()
    room.pull[slope.row] = sign * weight * wrong / difference
    backward()
    return 0.5 * weight * wrong * wrong
  }

  /// gradient += pull · ∂output/∂weights, at the input of the last `forward`.
  private mutating func backward() {
    let layers = room.layers
    let (d, h, n) = (layers.inputs, layers.width, layers.outputs)
    for row in 0..<n { gradient.values[layers.thirdOffsets + row] += room.pull[row] }
    for from in 0..<h {
      let start = layers.third.lowerBound + from * n
      var sum = 0.0
      for row in 0..<n {
        sum += weights[start + row] * room.pull[row]
        gradient.values[start + row] += room.second[from] * room.pull[row]
      }
      room.secondPull[from] = sum * (1 - room.second[from] * room.second[from])
      gradient.values[layers.secondOffsets + from] += room.secondPull[from]
    }
    for from in 0..<h {
      let (start, value) = (layers.second.lowerBound + from * h, room.first[from])
      var sum = 0.0
      for unit in 0..<h {
        sum += weights[start + unit] * room.secondPull[unit]
        gradient.values[start + unit] += value * room.secondPull[unit]
      }
      room.firstPull[from] = sum * (1 - value * value)
      gradient.values[layers.firstOffsets + from] += room.firstPull[from]
    }
    for column in 0..<d {
      let (start, value) = (layers.first.lowerBound + column * h, room.input[column])
      for unit in 0..<h { gradient.values[start + unit] += value * room.firstPull[unit] }
    }
  }
}
