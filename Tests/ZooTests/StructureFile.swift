import Foundation
import ONNXFormat
import TestSupport
import Testing

/// A graph whose weights are not here, with a file in their place.
enum StructureFile {
  /// Tensors up to this size get numbers, others are holes.
  private static let largestFilled = 32 << 20

  /// - Returns: the path of the graph.
  static func write(_ source: String, to folder: URL) throws -> String {
    let path = folder.appendingPathComponent("model.onnx").path
    try FileManager.default.copyItem(atPath: source, toPath: path)
    var files: [String: [(ONNXTensor, ONNXExternalLocation)]] = [:]
    for tensor in try ONNXModel(contentsOf: path).graph.initializers {
      guard case .external(let location) = tensor.payload else { continue }
      files[location.path, default: []].append((tensor, location))
    }
    for (name, tensors) in files {
      let file = folder.appendingPathComponent(name).path
      #expect(FileManager.default.createFile(atPath: file, contents: nil))
      let handle = try #require(FileHandle(forUpdatingAtPath: file))
      let size = tensors.map { $0.1.offset + ($0.1.count ?? 0) }.max() ?? 0
      try handle.truncate(atOffset: UInt64(size))
      var generator = SeededGenerator(seed: 7)
      for (tensor, location) in tensors {
        let count = location.count ?? 0
        guard tensor.dims.count == 1 || tensor.name.contains("cache"), count <= largestFilled else {
          continue
        }
        let values = (0..<count / 4).map { _ in Float.random(in: 0.5...1.5, using: &generator) }
        try handle.seek(toOffset: UInt64(location.offset))
        try values.withUnsafeBytes { try handle.write(contentsOf: Data($0)) }
      }
      try handle.close()
    }
    return path
  }
}
