import Foundation
import GraphIR
import ONNXFormat
import ONNXImport
import Tensors
import Testing

/// Damaged copies of real graphs: each is refused or imported, none ends the process.
@Suite struct ZooMutationTests {
  /// `TANDEM_MUTATIONS` sets how many copies are made of each graph.
  static let count = ProcessInfo.processInfo.environment["TANDEM_MUTATIONS"].flatMap { Int($0) } ?? 4

  @Test(arguments: Zoo.runnable.filter { ["genai4", "mobius", "dynamo23"].contains($0.exporter) })
  func changedBytesAreRefusedOrImported(_ entry: Zoo.Entry) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: entry.path)))
    let places = try Self.structure(of: entry, bytes)
    for seed in 0..<Self.count {
      var generator = Generator(state: UInt64(seed) &* 2_654_435_769 &+ UInt64(bytes.count))
      let storage = TensorStorage(byteCount: bytes.count)
      storage.base.copyMemory(from: bytes, byteCount: bytes.count)
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let place = places[Int.random(in: 0..<places.count, using: &generator)]
        storage.base.storeBytes(
          of: UInt8.random(in: 0...255, using: &generator), toByteOffset: place, as: UInt8.self)
      }
      let damaged: ONNXModel
      do throws(ONNXFormatError) { damaged = try ONNXModel(bytes: storage) } catch { continue }
      do throws(ImportError) {
        _ = try Module(importing: damaged)
      } catch {
        #expect(error.code != .internalError, "seed \(seed): \(error)")
      }
    }
  }

  @Test func everyKilobyteOfAGraphIsRefused() throws {
    let entry = try #require(Zoo.runnable.first { $0.exporter == "genai4" })
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: entry.path)))
    for count in stride(from: 0, to: bytes.count, by: 1024) {
      let storage = TensorStorage(byteCount: count)
      storage.base.copyMemory(from: bytes, byteCount: count)
      #expect(throws: ONNXFormatError.self) { try ONNXModel(bytes: storage) }
    }
  }

  /// Offsets of the bytes that are no large weights.
  private static func structure(of entry: Zoo.Entry, _ bytes: [UInt8]) throws -> [Int] {
    let model = try ONNXModel(contentsOf: entry.path)
    var isWeight = [Bool](repeating: false, count: bytes.count)
    for tensor in model.graph.initializers {
      guard case .raw(let data) = tensor.payload, data.count > 256 else { continue }
      for index in data.offset..<data.offset + data.count { isWeight[index] = true }
    }
    return bytes.indices.filter { !isWeight[$0] }
  }

  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }
}
