import LinearAlgebra

/// Solves ẋ = A·x + B over a step in which A and B stay as they are: Φ − I, the integral of e^{Aτ}·B, the noise that
/// came in, and the derivatives of the new state by parameters that M = [A | B] depends on. Exact but for rounding.
///
/// A Taylor series over a piece of the step so short that ‖A·δ‖ ≤ ½, then doubling (Van Loan 1978, with the series in
/// place of the Padé approximant). What is doubled is Φ − I and not Φ: a slow mode keeps all its digits beside one that
/// dies a thousand times within the step. Works on memory of its caller, and allocates nothing.
struct ZeroOrderHold: Sendable {
  let states: Int
  /// Of B.
  let driven: Int
  let parameters: Int

  // Offsets into the memory.
  /// M: states × (states + driven), read.
  let system = 0
  /// Result [Φ − I | ∫e^{Aτ}dτ·B], shaped like M.
  let change: Int
  /// Result, states × states.
  let noise: Int
  /// Result, states × parameters: derivatives of the new state.
  let sensitivity: Int
  private let power: Int
  private let next: Int
  /// Derivatives of `change`: states × (states + driven) × parameters, so that a parameter's neighbour is the next one.
  private let tensor: Int
  private let tensorPower: Int
  private let tensorNext: Int
  /// The states as they move through the step, and 1; then one more such.
  private let path: Int
  let size: Int

  /// Doublings that are replaced by steps along the path, for which no derivatives of matrices are needed.
  private static let pathDoublings = 3
  /// ‖A‖·seconds above 2^this is refused: no number of the step would mean anything.
  private static let doublingsMax = 60

  var width: Int { states + driven }

  init(states: Int, driven: Int, parameters: Int) {
    (self.states, self.driven, self.parameters) = (states, driven, parameters)
    var offset = 0
    func take(_ count: Int) -> Int {
      // Blocks begin at even offsets: pairs of doubles then lie on 16 bytes.
      defer { offset += (count + 1) & ~1 }
      return offset
    }
    let block = states * (states + driven)
    _ = take(block)
    change = take(block)
    noise = take(states * states)
    sensitivity = take(states * parameters)
    power = take(block)
    next = take(block)
    tensor = take(block * parameters)
    tensorPower = take(block * parameters)
    tensorNext = take(block * parameters)
    path = take(2 * (states + 1))
    size = offset
  }

  /// Solves one step; false where the system's numbers allow none.
  ///
  /// `intensities` is the white noise on each state's rate. With parameters, B is one column, `entries` says how M
  /// depends on them, and `state` is where the step begins.
  @unsafe func solve(
    _ memory: UnsafeMutablePointer<Double>, seconds: Double, intensities: UnsafePointer<Double>,
    entries: UnsafePointer<Double>?, of coefficients: Coefficients, from state: UnsafePointer<Double>?
  ) -> Bool {
    let norm = unsafe Dense.rowNorm(memory, stride: width, rows: states, columns: states) * seconds
    guard norm < Double(1 << ZeroOrderHold.doublingsMax), unsafe Dense.isFinite(memory, count: states * width) else {
      return false
    }
    var doublings = 0
    var piece = seconds
    var short = norm
    while short > 0.5 {
      short *= 0.5
      piece *= 0.5
      doublings += 1
    }
    unsafe expandNoise(memory, piece: piece, norm: short, intensities)
    guard let entries = unsafe entries, let state = unsafe state, parameters > 0 else {
      unsafe expand(memory, piece: piece, norm: short, entries: nil, of: coefficients)
      for _ in 0..<doublings { unsafe double(memory, withTensor: false) }
      return unsafe finish(memory, coefficients)
    }
    unsafe expand(memory, piece: piece, norm: short, entries: entries, of: coefficients)
    let alongPath = min(doublings, ZeroOrderHold.pathDoublings)
    for _ in 0..<doublings - alongPath { unsafe double(memory, withTensor: true) }
    unsafe follow(memory, from: state, pieces: 1 << alongPath)
    for _ in 0..<alongPath { unsafe double(memory, withTensor: false) }
    return unsafe finish(memory, coefficients)
  }

  /// Forgets where states were that begin with the step, and says whether all of the result is finite.
  private func finish(_ memory: UnsafeMutablePointer<Double>, _ coefficients: Coefficients) -> Bool {
    // They drive nothing, so that their column of Φ is one on the diagonal and no more.
    for state in coefficients.perStep { unsafe memory[change + state * (width + 1)] = -1 }
    return unsafe Dense.isFinite(memory + change, count: states * width)
      && Dense.isFinite(memory + noise, count: states * states)
      && Dense.isFinite(memory + sensitivity, count: states * parameters)
  }

  /// Series over the first piece: Σ (Mδ)^m / m!, and its derivatives term by term.
  private func expand(
    _ memory: UnsafeMutablePointer<Double>, piece: Double, norm: Double, entries: UnsafePointer<Double>?,
    of coefficients: Coefficients
  ) {
    let block = states * width
    let (system, change) = unsafe (UnsafePointer(memory), memory + self.change)
    var (power, next) = unsafe (memory + self.power, memory + self.next)
    let tensor = unsafe memory + self.tensor
    var (tensorPower, tensorNext) = unsafe (memory + self.tensorPower, memory + self.tensorNext)
    for index in 0..<block { unsafe power[index] = system[index] * piece }
    unsafe change.update(from: power, count: block)
    if let entries = unsafe entries {
      unsafe clear(tensorPower, block * parameters)
      for (index, position) in coefficients.entryPositions.enumerated() {
        unsafe tensorPower[position * parameters + coefficients.entryParameters[index]] += entries[index] * piece
      }
      unsafe tensor.update(from: tensorPower, count: block * parameters)
    }
    var order = 2.0
    var bound = norm * norm / 2
    // What follows, and its derivative, is below a rounding error of the first term.
    while bound > 1e-18 * norm {
      let factor = piece / order
      unsafe clear(next, block)
      unsafe Dense.addProduct(to: next, system, stride: width, power, rows: states, inner: states, columns: width)
      if let entries = unsafe entries {
        unsafe clear(tensorNext, block * parameters)
        unsafe Dense.addProduct(
          to: tensorNext, system, stride: width, tensorPower, rows: states, inner: states, columns: width * parameters)
        unsafe addEntries(to: tensorNext, times: power, entries, coefficients)
        for index in 0..<block * parameters { unsafe tensorNext[index] *= factor }
        unsafe Dense.add(1, tensorNext, to: tensor, count: block * parameters)
        unsafe swap(&tensorPower, &tensorNext)
      }
      for index in 0..<block { unsafe next[index] *= factor }
      unsafe Dense.add(1, next, to: change, count: block)
      unsafe swap(&power, &next)
      order += 1
      bound *= norm / order
    }
  }

  /// tensor += ∂M/∂ln θ · power; the rows of the power below the states' are zero.
  private func addEntries(
    to tensor: UnsafeMutablePointer<Double>, times power: UnsafePointer<Double>, _ entries: UnsafePointer<Double>,
    _ coefficients: Coefficients
  ) {
    for (index, position) in coefficients.entryPositions.enumerated() {
      let (row, column) = position.quotientAndRemainder(dividingBy: width)
      let value = unsafe entries[index]
      guard column < states, value != 0 else { continue }
      let target = unsafe tensor + row * width * parameters + coefficients.entryParameters[index]
      let source = unsafe power + column * width
      for place in 0..<width { unsafe target[place * parameters] += value * source[place] }
    }
  }

  /// Series over the first piece of ∫ e^{Aτ}·W·e^{Aᵀτ} dτ.
  private func expandNoise(
    _ memory: UnsafeMutablePointer<Double>, piece: Double, norm: Double, _ intensities: UnsafePointer<Double>
  ) {
    let block = states * states
    let noise = unsafe memory + self.noise
    // The series of the change comes later: its memory is free.
    let (power, next) = unsafe (memory + self.power, memory + self.next)
    unsafe clear(power, block)
    for state in 0..<states { unsafe power[state * states + state] = intensities[state] * piece }
    unsafe noise.update(from: power, count: block)
    var order = 2.0
    var bound = norm
    while bound > 1e-17 {
      unsafe clear(next, block)
      unsafe Dense.addProduct(to: next, memory, stride: width, power, rows: states, inner: states, columns: states)
      let factor = piece / order
      for row in 0..<states {
        for column in 0...row {
          let sum = unsafe (next[row * states + column] + next[column * states + row]) * factor
          unsafe power[row * states + column] = sum
          unsafe power[column * states + row] = sum
        }
      }
      unsafe Dense.add(1, power, to: noise, count: block)
      order += 1
      bound *= 2 * norm / order
    }
  }

  /// From a piece to one twice as long: X ← 2X + X·X and its derivative, Q ← Q + Φ·Q·Φᵀ.
  private func double(_ memory: UnsafeMutablePointer<Double>, withTensor: Bool) {
    let block = states * width
    let (change, noise) = unsafe (memory + self.change, memory + self.noise)
    let (moved, next) = unsafe (memory + self.power, memory + self.next)
    unsafe moved.update(from: noise, count: states * states)
    unsafe Dense.addProduct(
      to: moved, change, stride: width, noise, rows: states, inner: states, columns: states)
    for row in 0..<states {
      for column in 0...row {
        let rest = unsafe Dense.dot(moved + row * states, change + column * width, count: states)
        let sum = unsafe noise[row * states + column] + moved[row * states + column] + rest
        unsafe noise[row * states + column] = sum
        unsafe noise[column * states + row] = sum
      }
    }
    if withTensor {
      let (tensor, twice) = unsafe (memory + self.tensor, memory + self.tensorNext)
      for index in 0..<block * parameters { unsafe twice[index] = 2 * tensor[index] }
      unsafe Dense.addProduct(
        to: twice, change, stride: width, tensor, rows: states, inner: states, columns: width * parameters)
      for row in 0..<states {
        let (source, target) = unsafe (tensor + row * width * parameters, twice + row * width * parameters)
        for inner in 0..<states {
          for column in 0..<width {
            unsafe Dense.add(
              change[inner * width + column], source + inner * parameters, to: target + column * parameters,
              count: parameters)
          }
        }
      }
      unsafe tensor.update(from: twice, count: block * parameters)
    }
    for index in 0..<block { unsafe next[index] = 2 * change[index] }
    unsafe Dense.addProduct(to: next, change, stride: width, change, rows: states, inner: states, columns: width)
    unsafe change.update(from: next, count: block)
  }

  /// Sensitivities of the state after so many pieces: S ← Φ·S + D·[x; 1].
  private func follow(_ memory: UnsafeMutablePointer<Double>, from state: UnsafePointer<Double>, pieces: Int) {
    let (change, tensor) = unsafe (memory + self.change, memory + self.tensor)
    let (sensitivity, next) = unsafe (memory + self.sensitivity, memory + self.tensorNext)
    let path = unsafe memory + self.path
    unsafe path.update(from: state, count: states)
    unsafe path[states] = 1
    unsafe clear(sensitivity, states * parameters)
    for _ in 0..<pieces {
      unsafe next.update(from: sensitivity, count: states * parameters)
      unsafe Dense.addProduct(
        to: next, change, stride: width, sensitivity, rows: states, inner: states, columns: parameters)
      for row in 0..<states {
        unsafe Dense.addProduct(
          to: next + row * parameters, path, stride: width, tensor + row * width * parameters, rows: 1, inner: width,
          columns: parameters)
      }
      unsafe sensitivity.update(from: next, count: states * parameters)
      unsafe advance(path, by: change, scratch: path + width)
    }
  }

  /// x += X·[x; 1], where B is one column; `x` holds the 1 behind the states.
  private func advance(
    _ x: UnsafeMutablePointer<Double>, by change: UnsafePointer<Double>, scratch: UnsafeMutablePointer<Double>
  ) {
    for row in 0..<states { unsafe scratch[row] = Dense.dot(change + row * width, x, count: width) }
    for row in 0..<states { unsafe x[row] += scratch[row] }
  }

  private func clear(_ block: UnsafeMutablePointer<Double>, _ count: Int) {
    unsafe block.update(repeating: 0, count: count)
  }
}
