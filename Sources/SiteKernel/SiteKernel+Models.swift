import Models
import TwinCore

extension SiteKernel {
  func modelDefinition(_ model: Int32) -> ModelDefinition? {
    definition.models.indices.contains(Int(model)) ? definition.models[Int(model)] : nil
  }

  /// A candidate that fits starts beside the champion, in its shadow; one that does not is named and forgotten.
  mutating func admit(_ bytes: [UInt8], to model: Int32, _ outcome: inout Outcome) {
    guard let definition = modelDefinition(model) else { return }
    let digest = hash(bytes)
    do throws(CanonicalFault) {
      let candidate = try ModelCandidate(bytes: bytes)
      try models[Int(model)].admit(
        candidate, digest: digest, shape: hash(definition.shape), definition, model: model, into: &outcome.models)
    } catch {
      outcome.models.append(ModelEvent(model: model, kind: .refused, text: error.message, candidate: digest))
    }
  }

  /// By id, so that a changed pack keeps the models that it still has.
  func encodeModels(to writer: inout CanonicalWriter) {
    writer.array(models.count)
    for (slot, definition) in zip(models, definition.models) {
      var inner = CanonicalWriter(reservingBytes: 1 << 16)
      slot.encode(to: &inner)
      writer.array(3)
      writer.text(definition.id)
      writer.digest(hash(definition.shape))
      writer.bytes(inner.bytes)
    }
  }

  mutating func restoreModels(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 12)) {
      guard try reader.array() == 3 else { throw CanonicalFault("a model's state has three items") }
      let (id, shape) = (try reader.text(limit: 256), try reader.digest())
      var inner = CanonicalReader(try reader.bytes())
      // A model whose physics the pack has changed begins anew: its old state means something else.
      guard let position = definition.models.firstIndex(where: { $0.id == id }),
        hash(definition.models[position].shape) == shape
      else { continue }
      try models[position].restore(from: &inner, definition.models[position])
      guard inner.isAtEnd else { throw CanonicalFault("bytes after the state of model \(id)") }
    }
  }
}
