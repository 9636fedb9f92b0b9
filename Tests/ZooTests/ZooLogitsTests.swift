import Foundation
import GraphIR
import Operators
import Tensors
import Testing

/// Logits of every export against the recorded ones, relative to their standard deviation.
@Suite struct ZooLogitsTests {
  @Test(arguments: Zoo.runnable)
  func prefillGivesTheRecordedLogits(_ entry: Zoo.Entry) throws {
    let ids = try NPY.read(entry.idsPath).integers
    var decoder = try Decoder(entry.path)
    let error = Self.error(try decoder.feed(ids), try NPY.read(entry.logitsPath), firstRow: 0)
    print("zoo: \(entry.testDescription) prefill \(error)")
    #expect(error < 1e-4)
  }

  /// 20 tokens at once, then one at a time.
  @Test(arguments: Zoo.runnable)
  func decodingGivesTheSameRows(_ entry: Zoo.Entry) throws {
    let ids = try NPY.read(entry.idsPath).integers
    let expected = try NPY.read(entry.logitsPath)
    var decoder = try Decoder(entry.path)
    var error = Self.error(try decoder.feed(Array(ids[..<20])), expected, firstRow: 0)
    for index in 20..<ids.count {
      error = max(error, Self.error(try decoder.feed([ids[index]]), expected, firstRow: index))
    }
    print("zoo: \(entry.testDescription) decode \(error)")
    #expect(error < 1e-4)
  }

  /// Largest absolute difference over the standard deviation of the expected logits; infinite on a NaN.
  private static func error(_ found: Tensor, _ expected: Tensor, firstRow: Int) -> Double {
    let width = expected.shape.last ?? 1
    let reference = expected.doubles
    let mean = reference.reduce(0, +) / Double(reference.count)
    let deviation = (reference.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(reference.count)).squareRoot()
    guard found.shape.last == width, found.elementCount + firstRow * width <= reference.count else { return .infinity }
    var worst = 0.0
    for (index, value) in found.doubles.enumerated() {
      let difference = abs(value - reference[firstRow * width + index])
      if !difference.isFinite { return .infinity }
      worst = max(worst, difference)
    }
    return worst / deviation
  }
}
