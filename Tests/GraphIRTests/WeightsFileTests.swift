import Foundation
import GraphIR
import Tensors
import TestSupport
import Testing

@Suite final class WeightsFileTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "tandem-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  private static let tensors = [
    Tensor(f32: [1, 2, 3, 4, 5, 6], [2, 3]), Tensor(.i4, [0, 7]), Tensor(i64: [-1], []),
    Tensor(.bf16, [65], values: [UInt16](0..<65)), Tensor(.f8e4m3fnuz, [1], values: [UInt8(3)]),
  ]

  @Test func tensorsComeBackAligned() throws {
    try WeightsFile.write(Self.tensors, to: path("a.weights"))
    let tensors = try WeightsFile.read(path("a.weights"))
    try #require(tensors.count == Self.tensors.count)
    for (tensor, original) in zip(tensors, Self.tensors) {
      #expect(tensor.type == original.type)
      #expect(tensor.bytes.elementsEqual(original.bytes))
      #expect(tensor.elementCount == 0 || Int(bitPattern: tensor.base) % 64 == 0)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.weights"])
  }

  @Test func damagedFilesAreRefused() throws {
    try WeightsFile.write(Self.tensors, to: path("a.weights"))
    let data = try Data(contentsOf: folder.appending(path: "a.weights"))
    for count in 0..<data.count {
      try data.prefix(count).write(to: folder.appending(path: "cut.weights"))
      #expect(throws: FileError.self) { try WeightsFile.read(path("cut.weights")) }
    }
    var random = SeededGenerator(seed: 1)
    for _ in 0..<300 {
      var damaged = data
      damaged[Int.random(in: 0..<240, using: &random)] = UInt8.random(in: 0...255, using: &random)
      try damaged.write(to: folder.appending(path: "bad.weights"))
      for tensor in (try? WeightsFile.read(path("bad.weights"))) ?? [] { _ = tensor.bytes.last }
    }
  }

  @Test func moduleWithItsWeights() throws {
    let module = try ToyModules.step()
    try module.write(to: path("stage.ir"))
    let read = try Module(contentsOf: path("stage.ir"), operators: Toy.operators)
    #expect(read.text == module.text)
    #expect(FileManager.default.fileExists(atPath: path("stage.weights")))
    // A stage may be written where it was read from.
    try read.write(to: path("stage.ir"))
    #expect(read.constants["proj.weight"]?.bytes.last == 0)
  }

  @Test func errorsNameTheFile() throws {
    try Data("func @f() -> () {\n  relu()\n  return }".utf8).write(to: folder.appending(path: "bad.ir"))
    let error = #expect(throws: ModuleFileError.self) {
      try Module(contentsOf: path("bad.ir"), operators: Toy.operators)
    }
    #expect(error?.description == "\(path("bad.ir")):2:3: 'relu' has 0 operands, accepted are 1")
    #expect(throws: FileError.self) { try Module(contentsOf: path("none.ir"), operators: Toy.operators) }
  }
}
