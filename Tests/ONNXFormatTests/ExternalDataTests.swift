import Foundation
import ONNXFormat
import Tensors
import Testing

@Suite struct ExternalDataTests {
  private func decode(_ folder: TemporaryFolder, _ location: ONNXExternalLocation) throws -> Tensor {
    let tensor = ONNXTensor("w", .init(.f32), dims: [4], payload: .external(location))
    let path = try folder.write("m.onnx", try Samples.model(initializer: tensor).encoded())
    let model = try ONNXModel(contentsOf: path)
    return try model.decode(model.graph.initializers[0])
  }

  private func expectRefusal(_ folder: TemporaryFolder, _ location: ONNXExternalLocation, _ words: String) {
    let error = #expect(throws: ONNXFormatError.self) { try decode(folder, location) }
    let text = error?.description ?? ""
    #expect(text.contains(words), "\(text)")
    #expect(text.contains("tensor 'w'") && text.contains("m.onnx"))
  }

  @Test func weightsComeFromTheFileBesideTheModel() throws {
    let folder = try TemporaryFolder()
    let weights = Tensor(f32: [1, 2, 3, 4])
    let path = folder.path("m.onnx")
    try Samples.model(initializer: ONNXTensor("w", weights)).write(to: path, externalDataFrom: 0)
    let model = try ONNXModel(contentsOf: path)
    guard case .external(let location) = model.graph.initializers[0].payload else {
      Issue.record("the tensor is inline")
      return
    }
    #expect(location.path == "m.onnx.data")
    #expect(try model.decode(model.graph.initializers[0]).doubles == [1, 2, 3, 4])
  }

  @Test func offsetsAndLengthsAreChecked() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("w.bin", [UInt8](repeating: 0, count: 32))
    #expect(try decode(folder, ONNXExternalLocation(path: "w.bin", offset: 16, count: 16)).shape == [4])
    #expect(try decode(folder, ONNXExternalLocation(path: "./w.bin", offset: 5)).shape == [4])
    expectRefusal(folder, ONNXExternalLocation(path: "w.bin", offset: 17, count: 16), "which has 32 bytes")
    expectRefusal(folder, ONNXExternalLocation(path: "w.bin", offset: .max, count: 16), "which has 32 bytes")
    expectRefusal(folder, ONNXExternalLocation(path: "w.bin", offset: 0, count: 20), "accepted are the 16")
  }

  @Test func pathsStayInTheFolder() throws {
    let folder = try TemporaryFolder()
    let outside = try TemporaryFolder()
    let secret = try outside.write("secret.bin", [UInt8](repeating: 7, count: 16))
    expectRefusal(folder, ONNXExternalLocation(path: secret), "inside the model's folder")
    expectRefusal(
      folder, ONNXExternalLocation(path: "../\(outside.url.lastPathComponent)/secret.bin"), "without '..'")
    try FileManager.default.createSymbolicLink(atPath: folder.path("link.bin"), withDestinationPath: secret)
    expectRefusal(folder, ONNXExternalLocation(path: "link.bin"), "leaves the model's folder")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("sub"), withDestinationPath: outside.url.path)
    expectRefusal(folder, ONNXExternalLocation(path: "sub/secret.bin"), "leaves the model's folder")
    try Data(repeating: 0, count: 16).write(to: folder.url.appendingPathComponent("w.bin"))
    try FileManager.default.createSymbolicLink(atPath: folder.path("inner.bin"), withDestinationPath: "w.bin")
    #expect(try decode(folder, ONNXExternalLocation(path: "inner.bin")).shape == [4])
  }

  @Test func missingFilesAndFoldersAreNamed() throws {
    let folder = try TemporaryFolder()
    expectRefusal(folder, ONNXExternalLocation(path: "none.bin"), "'none.bin' is missing")
    try FileManager.default.createDirectory(atPath: folder.path("dir"), withIntermediateDirectories: true)
    expectRefusal(folder, ONNXExternalLocation(path: "dir"), "regular file")
  }
}
