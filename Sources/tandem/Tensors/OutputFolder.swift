import Foundation
import Kernels
import Tensors

/// A folder that receives all output tensors or none: files are written aside and moved there together.
struct OutputFolder: ~Copyable {
  private let path: String
  private let temporaryPath: String
  private var names: [String] = []

  init(_ path: String) throws {
    self.path = path
    temporaryPath = "\(path)/.tandem-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      try FileManager.default.createDirectory(atPath: temporaryPath, withIntermediateDirectories: true)
    } catch {
      throw CommandError("'\(path)': the folder cannot be made or written")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: temporaryPath) }

  /// - Returns: the path that the file will have.
  mutating func write(_ name: String, _ view: TensorView) throws -> String {
    let fileName = Self.fileName(name, taken: names)
    let tensor = Self.tensor(view)
    let bytes: [UInt8]
    do throws(NPY.Failure) {
      bytes = try NPY.encoded(tensor)
    } catch {
      throw CommandError("output '\(name)': \(error.message)")
    }
    guard FileManager.default.createFile(atPath: "\(temporaryPath)/\(fileName)", contents: Data(bytes)) else {
      throw CommandError("'\(path)/\(fileName)': cannot be written")
    }
    names.append(fileName)
    return "\(path)/\(fileName)"
  }

  /// Moves all files to where they belong.
  consuming func commit() throws {
    for name in names where rename("\(temporaryPath)/\(name)", "\(path)/\(name)") != 0 {
      throw CommandError(
        "'\(path)/\(name)': cannot be written: \(String(cString: strerror(errno)).lowercased())")
    }
  }

  /// A file name for an output: letters, digits, `.`, `_` and `-` stay, all else becomes `_`.
  private static func fileName(_ name: String, taken: [String]) -> String {
    let safe = String(
      name.unicodeScalars.map { scalar in
        let isSafe =
          scalar.isASCII
          && (scalar.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains(scalar))
        return isSafe ? Character(scalar) : "_"
      })
    let stem = safe.isEmpty || safe.hasPrefix(".") ? "_\(safe)" : String(safe.prefix(200))
    var (candidate, number) = ("\(stem).npy", 2)
    while taken.contains(candidate) {
      candidate = "\(stem)-\(number).npy"
      number += 1
    }
    return candidate
  }

  /// A dense copy in an element type that NumPy has.
  private static func tensor(_ view: TensorView) -> Tensor {
    var view = view
    // Narrow integers occupy a byte each in memory.
    if [.i4, .i2].contains(view.element) { view.element = .i8 }
    if [.u4, .u2].contains(view.element) { view.element = .u8 }
    let dense = Tensor(view.element, view.shape.array)
    StridedCopy.run(from: view, to: TensorView(dense))
    guard view.element.isFloatingPoint, ![.f64, .f32, .f16].contains(view.element) else { return dense }
    let result = Tensor(.f32, dense.shape)
    for index in 0..<dense.elementCount {
      NumberCoding.store(dense.double(at: index), result.base, .f32, index)
    }
    return result
  }
}
