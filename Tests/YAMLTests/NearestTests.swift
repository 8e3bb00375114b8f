import Testing
import YAML

@Suite struct `A misspelt name finds its neighbour` {
  @Test(
    arguments: [
      ("kwh", ["kW", "kWh", "MWh"], "kWh"), ("scael", ["scale", "scale_from"], "scale"),
      ("word_oder", ["byte_order", "word_order"], "word_order"), ("sccalle", ["scale"], "scale"),
      ("Leaving_Chilled_Sensor", ["Leaving_Chilled_Water_Sensor"], "Leaving_Chilled_Water_Sensor"),
      ("scale", ["gap_merge"], nil), ("ab", ["cd"], nil), ("x", ["y"], nil), ("", ["a"], nil), ("ref", [], nil),
      ("abcd", ["abce", "abcf", "abcc"], "abcc"), ("abcd", ["abcc", "abcf", "abce"], "abcc"),
      ("minn", ["max", "min"], "min"), ("unti", ["unit", "anti"], "anti"),
    ] as [(String, [String], String?)])
  func nearestName(_ name: String, _ candidates: [String], _ expected: String?) {
    #expect(nearest(to: name, among: candidates) == expected)
  }

  @Test func `Very long names are not compared`() {
    let long = String(repeating: "a", count: 65)
    #expect(nearest(to: long, among: [long]) == nil)
  }
}
