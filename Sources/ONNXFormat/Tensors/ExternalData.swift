import Foundation
import Synchronization
import Tensors

/// The files beside a model that hold its tensors: each is mapped once, and only files in the model's folder count.
public final class ExternalData: Sendable {
  /// The model's folder, as it was given.
  public let folder: String
  private let files = Mutex<[String: MappedFile]>([:])

  /// - Parameter modelPath: the model file; external locations are relative to its folder.
  public init(modelPath: String) {
    folder = PathParts.folder(of: modelPath)
  }

  /// The bytes of an external tensor.
  ///
  /// - Parameter byteCount: how many the tensor's shape needs.
  /// - Throws: ``ONNXFormatError`` without file and location: the path leaves the folder, the file is missing, or the
  ///   range does not lie in it or has another length.
  func bytes(_ location: ONNXExternalLocation, byteCount: Int) throws(ONNXFormatError) -> ONNXBytes {
    let file = try self.file(location.path)
    if let count = location.count, count != byteCount {
      throw ONNXFormatError(
        "external length in '\(location.path)' is \(count) bytes, accepted are the \(byteCount) that the shape needs"
      )
    }
    guard let storage = file.storage(offset: location.offset, byteCount: byteCount) else {
      throw ONNXFormatError(
        "external data of \(byteCount) bytes at offset \(location.offset) exceeds '\(location.path)', "
          + "which has \(file.bytes.count) bytes")
    }
    return ONNXBytes(storage, offset: 0, count: byteCount)
  }

  private func file(_ path: String) throws(ONNXFormatError) -> MappedFile {
    if let file = files.withLock({ $0[path] }) { return file }
    let resolved = try resolve(path)
    do throws(FileError) {
      let file = try MappedFile(resolved)
      return files.withLock { files in
        if let earlier = files[path] { return earlier }
        files[path] = file
        return file
      }
    } catch {
      throw ONNXFormatError("external file '\(path)': \(error.message)")
    }
  }

  /// The real path of a file in the folder.
  private func resolve(_ path: String) throws(ONNXFormatError) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.hasPrefix("/"), !parts.contains(".."), !path.contains("\0") else {
      throw ONNXFormatError(
        "external file is '\(path)', accepted are paths inside the model's folder, without '..'")
    }
    guard let root = Self.realPath(folder) else { throw ONNXFormatError("folder '\(folder)' is missing") }
    guard let resolved = Self.realPath(folder + "/" + path) else {
      throw ONNXFormatError("external file '\(path)' is missing in '\(folder)'")
    }
    guard resolved.hasPrefix(root == "/" ? root : root + "/") else {
      throw ONNXFormatError(
        "external file '\(path)' is a link that leaves the model's folder; accepted are files inside it")
    }
    return resolved
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
