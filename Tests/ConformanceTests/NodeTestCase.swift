import Foundation
import Tensors

/// One case of the ONNX backend node tests, as `Tests/Conformance/write_node_tests.py` writes it.
struct NodeTestCase: Decodable {
  struct Value: Decodable {
    let name: String
    /// `tensor`, `sequence` or `none`.
    let kind: String
    let dtype: String?
    let shape: [Int]?
    let file: String?
  }

  let name: String
  let model: String
  let inputs: [Value]
  let outputs: [Value]
  let rtol: Double
  let atol: Double
}

/// The folder of cases that the environment names.
struct NodeTestFolder {
  let url: URL
  let cases: [NodeTestCase]

  private struct Manifest: Decodable { let cases: [NodeTestCase] }

  /// `TANDEM_NODE_TESTS`; nil when it is not set or holds no manifest.
  static var path: String? {
    guard let path = ProcessInfo.processInfo.environment["TANDEM_NODE_TESTS"],
      FileManager.default.fileExists(atPath: "\(path)/manifest.json")
    else { return nil }
    return path
  }

  /// Reads the manifest; `TANDEM_NODE_FILTER` keeps the cases whose name contains it.
  init(path: String) throws {
    url = URL(filePath: path)
    let data = try Data(contentsOf: url.appending(path: "manifest.json"))
    let filter = ProcessInfo.processInfo.environment["TANDEM_NODE_FILTER"] ?? ""
    cases = try JSONDecoder().decode(Manifest.self, from: data).cases.filter {
      filter.isEmpty || $0.name.contains(filter)
    }
  }

  /// The tensor of a value; nil when it is no tensor of an element type that exists here.
  func tensor(_ value: NodeTestCase.Value) throws -> Tensor? {
    guard value.kind == "tensor", let element = value.dtype.flatMap(ElementType.init),
      let shape = value.shape,
      let file = value.file
    else { return nil }
    let tensor = Tensor(element, shape)
    let data = try Data(contentsOf: url.appending(path: file))
    guard data.count == tensor.byteCount else { throw CocoaError(.fileReadCorruptFile) }
    data.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { tensor.base.copyMemory(from: base, byteCount: bytes.count) }
    }
    return tensor
  }
}
