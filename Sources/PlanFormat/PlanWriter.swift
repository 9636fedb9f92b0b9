import Crypto
import Foundation
public import Tensors

/// Writes a plan file: weights as they come, then the program. The file appears under its name when it is complete.
public final class PlanWriter {
  private let path: String
  private let temporaryPath: String
  private let handle: FileHandle
  private var position = 0
  private var sections: [PlanLayout.Section] = []
  private var isFinished = false

  /// - Throws: ``PlanError`` when the folder cannot be written.
  public init(path: String) throws(PlanError) {
    self.path = path
    temporaryPath = "\(path).tmp\(ProcessInfo.processInfo.processIdentifier)"
    guard FileManager.default.createFile(atPath: temporaryPath, contents: nil),
      let handle = FileHandle(forWritingAtPath: temporaryPath)
    else { throw PlanError(path: path, "cannot be written: \(String(cString: strerror(errno)).lowercased())") }
    self.handle = handle
    position = PlanLayout.headerByteCount + PlanLayout.SectionKind.allCases.count * PlanLayout.entryByteCount
  }

  deinit {
    try? handle.close()
    if !isFinished { try? FileManager.default.removeItem(atPath: temporaryPath) }
  }

  /// Writes a section of tensors.
  ///
  /// - Parameter tensors: name and content of each; called in order, one tensor in memory at a time.
  /// - Returns: where each tensor lies.
  public func writeWeights(
    _ tensors: some Sequence<(name: String, load: () -> Tensor)>
  ) throws(PlanError) -> [Weight] {
    var weights: [Weight] = []
    try writeSection(.weights) { (append: (UnsafeRawBufferPointer) throws(PlanError) -> Void) throws(PlanError) in
      var offset = 0
      let padding = [UInt8](repeating: 0, count: PlanLayout.weightAlignment)
      for (name, load) in tensors {
        let tensor = load()
        let gap = (PlanLayout.weightAlignment - offset % PlanLayout.weightAlignment) % PlanLayout.weightAlignment
        if gap > 0 { try padding.withUnsafeBytesTyped { bytes throws(PlanError) in try append(.init(rebasing: bytes[..<gap])) } }
        offset += gap
        weights.append(
          Weight(
            name: name, element: tensor.element, shape: tensor.shape, offset: offset, byteCount: tensor.byteCount))
        try append(tensor.bytes)
        offset += tensor.byteCount
      }
    }
    return weights
  }

  public func writeTokenizer(_ bytes: [UInt8]) throws(PlanError) { try writeSection(bytes, .tokenizer) }

  /// Writes the program, completes the file and gives it its name.
  public func finish(_ program: Program) throws(PlanError) {
    try writeSection(program.encoded(), .program)
    try seek(to: 0)
    var header = PlanLayout.magic
    header.append(littleEndian: PlanLayout.version)
    header.append(littleEndian: UInt32(sections.count))
    for section in sections {
      header.append(littleEndian: section.kind.rawValue)
      header.append(littleEndian: UInt32(0))
      header.append(littleEndian: UInt64(section.offset))
      header.append(littleEndian: UInt64(section.byteCount))
      header += section.checksum
    }
    try put(header)
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw PlanError(path: path, "cannot be written: \(error)")
    }
    guard rename(temporaryPath, path) == 0 else {
      throw PlanError(path: path, "cannot be named: \(String(cString: strerror(errno)).lowercased())")
    }
    isFinished = true
  }

  private func writeSection(_ bytes: [UInt8], _ kind: PlanLayout.SectionKind) throws(PlanError) {
    try writeSection(kind) { append throws(PlanError) in
      try bytes.withUnsafeBytesTyped { bytes throws(PlanError) in try append(bytes) }
    }
  }

  private func writeSection(
    _ kind: PlanLayout.SectionKind,
    _ body: ((UnsafeRawBufferPointer) throws(PlanError) -> Void) throws(PlanError) -> Void
  ) throws(PlanError) {
    let alignment = PlanLayout.sectionAlignment
    position = (position + alignment - 1) / alignment * alignment
    try seek(to: position)
    let start = position
    var hash = SHA256()
    try body { (bytes: UnsafeRawBufferPointer) throws(PlanError) in
      hash.update(bufferPointer: bytes)
      try put(bytes)
      position += bytes.count
    }
    sections.append(
      PlanLayout.Section(
        kind: kind, offset: start, byteCount: position - start, checksum: Array(hash.finalize())))
  }

  private func seek(to offset: Int) throws(PlanError) {
    do { try handle.seek(toOffset: UInt64(offset)) } catch {
      throw PlanError(path: path, "cannot be written: \(error)")
    }
  }

  private func put(_ bytes: [UInt8]) throws(PlanError) {
    try bytes.withUnsafeBytesTyped { bytes throws(PlanError) in try put(bytes) }
  }

  private func put(_ bytes: UnsafeRawBufferPointer) throws(PlanError) {
    var done = 0
    while done < bytes.count {
      let count = write(handle.fileDescriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw PlanError(path: path, "cannot be written: \(String(cString: strerror(errno)).lowercased())")
      }
      done += count
    }
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` with a typed error.
  func withUnsafeBytesTyped<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
    let outcome: Result<Void, E> = withUnsafeBytes { bytes in
      do throws(E) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    try outcome.get()
  }

  mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
