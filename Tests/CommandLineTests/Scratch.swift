import Foundation
import Synchronization

/// Files that the tests make, in one folder per test run that goes away with it.
enum Scratch {
  private static let counter = Atomic<Int>(0)

  static let folder: String = {
    let path = NSTemporaryDirectory() + "tandem-tests-\(ProcessInfo.processInfo.processIdentifier)"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(atPath: Scratch.folder) }
    return path
  }()

  /// A path that nothing else has.
  static func path(_ name: String) -> String {
    "\(folder)/\(counter.wrappingAdd(1, ordering: .relaxed).newValue)-\(name)"
  }

  static func file(_ name: String, _ contents: Data) -> String {
    let path = path(name)
    FileManager.default.createFile(atPath: path, contents: contents)
    return path
  }

  /// An array file of 64-bit integers.
  static func integers(_ values: [Int], _ shape: String) -> String {
    var header = "{'descr': '<i8', 'fortran_order': False, 'shape': \(shape), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0])
    data += Data(header.utf8)
    for value in values { withUnsafeBytes(of: value.littleEndian) { data += $0 } }
    return file("ids.npy", data)
  }
}
