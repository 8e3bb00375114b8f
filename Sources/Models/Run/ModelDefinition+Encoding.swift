public import TwinCore

// Canonical form: [1, id, asset, templates, step in ns, physics, inputs, outputs, horizons]; what only people read is
// left out. Input [0, point, scale, offset, reading, outlook] or [1, constant, reading, outlook]; output [point, scale,
// offset].
extension ModelDefinition {
  /// What its forecasts rest on: two definitions with the same bytes are the same model.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(9)
    writer.integer(1)
    writer.text(id)
    writer.text(asset)
    writer.array(templates.count)
    for template in templates { writer.text(template) }
    writer.integer(stepNanoseconds)
    physics.encode(to: &writer)
    writer.array(inputs.count)
    for input in inputs {
      switch input.source {
      case .point(let binding):
        writer.array(6)
        writer.integer(0)
        binding.write(to: &writer)
      case .constant(let value):
        writer.array(4)
        writer.integer(1)
        writer.double(value)
      }
      writer.integer(Int(input.reading.rawValue))
      writer.integer(Int(input.outlook.rawValue))
    }
    writer.array(outputs.count)
    for output in outputs {
      writer.array(3)
      output.write(to: &writer)
    }
    writer.array(horizons.count)
    for horizon in horizons { writer.integer(horizon) }
  }
}

extension PointBinding {
  fileprivate func write(to writer: inout CanonicalWriter) {
    writer.integer(Int64(point.raw))
    writer.double(scale)
    writer.double(offset)
  }
}
