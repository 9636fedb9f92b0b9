import Foundation
import GraphIR
import Operators
import TestSupport
import Testing

/// What comes out of the files in `Cases/` stands under the same names in `Goldens/`, with misses as comments.
@Suite struct PassGoldenTests {
  @Test func casesExist() { #expect(PassCase.names.count >= 10) }

  @Test(arguments: PassCase.names)
  func pass(_ name: String) throws {
    let golden = try PassCase(name)
    var module = golden.module
    let records = try golden.passes.run(on: &module, operators: OperatorSet.standard)
    let misses = records.flatMap(\.misses).map { "// missed: \($0)\n" }.joined()
    try Golden.expect(module.printed().text + misses, named: name)
  }
}
