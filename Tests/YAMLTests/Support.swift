import Testing
import YAML

/// The only document of a text.
func document(_ text: String) throws(YAMLFault) -> Node {
  let documents = try Node.documents(in: text, file: "t.yaml")
  precondition(documents.count == 1, "one document wanted, \(documents.count) seen")
  return documents[0]
}

/// The value of `v` in a text of one mapping.
func value(_ text: String) throws(YAMLFault) -> Scalar {
  try document("v: " + text).mapping["v"]!.scalar
}

/// `code line:column` of the fault that `body` throws, or "accepted".
func outcome(_ body: () throws(YAMLFault) -> Void) -> String {
  do throws(YAMLFault) {
    try body()
    return "accepted"
  } catch {
    return "\(error.code) \(error.mark.line):\(error.mark.column)"
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the whole sequence follows from the seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
