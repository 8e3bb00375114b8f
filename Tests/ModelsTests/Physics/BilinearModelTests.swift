import LinearAlgebra
import Testing
import TwinCore

@testable import Models

private typealias Model = BilinearModel

/// A change and a word of the sentence that it must lead to.
struct ModelFlaw: CustomTestStringConvertible, Sendable {
  var word: String
  var change: @Sendable (inout BilinearModel) -> Void
  var testDescription: String { word }
}

private let flaws: [ModelFlaw] = [
  .init(word: "no states") { $0.states = [] },
  .init(word: "at most 64") { $0.parameters = Array(repeating: $0.parameters[0], count: 62) },
  .init(word: "at most 1024") { $0.terms = Array(repeating: $0.terms[0], count: 1025) },
  .init(word: "begins at") { $0.states[0].initialMean = .nan },
  .init(word: "initial variance") { $0.states[0].initialVariance = -1 },
  .init(word: "noise intensity") { $0.states[1].noiseIntensity = .infinity },
  .init(word: "must be positive") { $0.parameters[0].prior = 0 },
  .init(word: "spread") { $0.parameters[0].spread = -0.1 },
  .init(word: "walk") { $0.parameters[0].walk = .nan },
  .init(word: "limit") { $0.parameters[0].limit = 0 },
  .init(word: "shows state") { $0.outputs[0].state = 3 },
  .init(word: "noise variance") { $0.outputs[0].noiseVariance = -1 },
  .init(word: "drives state") { $0.terms[0].row = -1 },
  .init(word: "scale") { $0.terms[0].scale = .nan },
  .init(word: "takes state") { $0.terms[0].column = .state(3) },
  .init(word: "begins every step at zero") { $0.states[0].isPerStep = true },
  .init(word: "takes input") { $0.terms[0].column = .input(4) },
  .init(word: "takes parameter") { $0.terms[0].powers = [.init(5, 1)] },
  .init(word: "exponent") { $0.terms[0].powers = [.init(0, .min)] },
  .init(word: "multiplied by input") { $0.terms[0].multipliers = [-1] },
]

@Suite struct `A model of physics` {
  @Test(arguments: flaws) func `says what is wrong with it`(flaw: ModelFlaw) throws {
    var model = ObserverStand.zone()
    #expect(model.problems().isEmpty)
    flaw.change(&model)
    let problems = model.problems()
    #expect(problems.contains { $0.contains(flaw.word) }, "\(problems)")
    var writer = CanonicalWriter()
    model.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    #expect(throws: CanonicalFault.self) { try BilinearModel(from: &reader) }
  }

  @Test func `survives its bytes, and no part of them alone`() throws {
    for seed in 1...10 as ClosedRange<UInt64> {
      let model = seed == 1 ? ObserverStand.zone() : ObserverStand.random(states: 4, parameters: 5, seed: seed)
      var writer = CanonicalWriter()
      model.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      #expect(try BilinearModel(from: &reader) == model && reader.isAtEnd)
      for length in stride(from: 0, to: writer.bytes.count, by: 7) {
        var part = CanonicalReader(Array(writer.bytes[..<length]))
        #expect(throws: CanonicalFault.self) { try BilinearModel(from: &part) }
      }
    }
  }

  @Test func `has the system that its terms spell`() {
    let model = ObserverStand.zone()
    let system = model.systemMatrix(logParameters: model.priorLogParameters, inputs: [4, 25, 0.5, 1])
    #expect(abs(system[0, 0] + (2 + 0.2 + 1.006 * 0.5) / 1500) < 1e-15)
    #expect(abs(system[0, 3] - (0.2 * 4 + 1.006 * 0.5 * 25 + 5) / 1500) < 1e-15)
    #expect(abs(system[1, 0] - 2 / 30_000) < 1e-18 && system[2, 2] == -1.0 / 21_600 && system[3, 3] == 0)
  }
}
