import Foundation
import GraphIR
import Tensors

/// A module on which a pass failed, as a file that takes the failure up again.
struct Reproducer {
  static let suffix = ".reproducer.ir"

  let path: String

  /// Writes the module, under lines that say what failed and how to see it again.
  ///
  /// - Parameter stem: the file's path without ``suffix``.
  init(_ module: Module, pass: String, message: String, stem: String) throws(FileError) {
    path = stem + Self.suffix
    let reason = message.split(separator: "\n").first.map(String.init) ?? ""
    try module.write(
      to: path,
      heading: [
        "pass '\(pass)' fails on this module: \(reason)",
        "tandem convert '\(path)' --passes \(pass) --stop-after \(pass)",
      ])
  }
}
