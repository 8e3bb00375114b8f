import CFMI

/// The owner of one loaded unit; the only place that sees the shim. Code of the unit runs in this process: whoever
/// gives a unit is believed as whoever gives a program.
@safe struct LoadedUnit: ~Copyable {
  private let handle: OpaquePointer
  private let path: String

  /// Errors: `fmi.not_loaded`.
  init(library path: String, version: Int) throws(FMIFault) {
    var reason = [CChar](repeating: 0, count: 512)
    guard let handle = unsafe cfmi_open(path, Int32(version), &reason, reason.count) else {
      let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw .notLoaded(path, String(decoding: text, as: UTF8.self))
    }
    unsafe self.handle = unsafe handle
    self.path = path
  }

  deinit { unsafe cfmi_close(handle) }

  func instantiate(_ name: String, token: String, resources: String) throws(FMIFault) {
    guard unsafe cfmi_instantiate(handle, name, token, resources) else {
      throw .notLoaded(path, told.isEmpty ? "it gives no instance" : told)
    }
  }

  func enterInitialization(start: Double, stop: Double?) throws(FMIFault) {
    try check("initialising", unsafe cfmi_enter_initialization(handle, start, stop != nil, stop ?? 0))
  }

  func exitInitialization() throws(FMIFault) { try check("initialising", unsafe cfmi_exit_initialization(handle)) }

  func set(_ references: [UInt32], _ values: [Double]) throws(FMIFault) {
    precondition(references.count == values.count, "a value for each variable")
    try check("setting values", unsafe cfmi_set_reals(handle, references, references.count, values))
  }

  func get(_ references: [UInt32]) throws(FMIFault) -> [Double] {
    var values = [Double](repeating: .nan, count: references.count)
    try check("reading values", unsafe cfmi_get_reals(handle, references, references.count, &values))
    return values
  }

  /// Whether it goes on after this step.
  func step(at now: Double, by step: Double) throws(FMIFault) -> Bool {
    var (isOver, reached) = (false, now)
    let status = unsafe cfmi_step(handle, now, step, &isOver, &reached)
    if status == Int32(CFMI_DISCARD), isOver { return false }
    try check("the step at \(now) s", status)
    guard isOver || reached >= now + step * (1 - 1e-9) else {
      throw .failed("the step at \(now) s", status: status, "it stopped at \(reached) s")
    }
    return !isOver
  }

  func terminate() throws(FMIFault) { try check("ending", unsafe cfmi_terminate(handle)) }

  private var told: String { unsafe String(cString: cfmi_message(handle)) }

  private func check(_ call: String, _ status: Int32) throws(FMIFault) {
    guard status <= Int32(CFMI_WARNING) else { throw .failed(call, status: status, told) }
  }
}
