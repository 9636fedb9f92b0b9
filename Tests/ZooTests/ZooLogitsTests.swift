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
    let error = Zoo.error(try decoder.feed(ids).doubles, try NPY.read(entry.logitsPath))
    print("zoo: \(entry.testDescription) prefill \(error)")
    #expect(error < 1e-4)
  }

  /// 20 tokens at once, then one at a time.
  @Test(arguments: Zoo.runnable)
  func decodingGivesTheSameRows(_ entry: Zoo.Entry) throws {
    let ids = try NPY.read(entry.idsPath).integers
    let expected = try NPY.read(entry.logitsPath)
    var decoder = try Decoder(entry.path)
    var error = Zoo.error(try decoder.feed(Array(ids[..<20])).doubles, expected)
    for index in 20..<ids.count {
      error = max(error, Zoo.error(try decoder.feed([ids[index]]).doubles, expected, firstRow: index))
    }
    print("zoo: \(entry.testDescription) decode \(error)")
    #expect(error < 1e-4)
  }
}
