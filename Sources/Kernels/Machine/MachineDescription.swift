import CKernels
import Foundation

/// What this machine is and what kernels were chosen for it.
public struct MachineDescription: Sendable {
  /// The processor's own name; empty when it does not tell.
  public let processorName: String
  /// Processors that this process may run on.
  public let processorCount: Int
  /// Bytes of the last-level cache that one core has a share in; 0 when the system does not tell.
  public let cacheByteCount: Int
  public let features: CPUFeatures
  /// The kernel of each family that runs here.
  public let kernels: [(family: String, kernel: String)]
  /// OpenBLAS's own name for its kernels and why it uses them; nil when the library is absent.
  public let openBLAS: (core: String, reason: String)?

  public static let current = MachineDescription()

  private init() {
    var name = [CChar](repeating: 0, count: 49)
    ck_cpu_name(&name)
    let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    processorName = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    processorCount = ck_processor_count()
    cacheByteCount = Self.readCacheByteCount()
    features = .current
    kernels = MicroKernel.families.map { ($0, MicroKernel.best($0).name) }
    openBLAS = OpenBLAS.shared.map { ($0.coreName, $0.reason) }
  }

  /// The largest cache of the first core, as Linux tells in lines such as `32768K`.
  private static func readCacheByteCount() -> Int {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    let sizes = (0..<8).compactMap { level -> Int? in
      guard let text = try? String(contentsOfFile: "\(folder)/index\(level)/size", encoding: .utf8),
        let found = text.firstMatch(of: /^(\d+)([KM])/), let count = Int(found.1)
      else { return nil }
      return count << (found.2 == "K" ? 10 : 20)
    }
    return sizes.max() ?? 0
  }

  /// Bytes per second at which threads together read main memory: the best of a few passes.
  ///
  /// - Parameter byteCount: what is read per pass; several times the last-level cache.
  public static func readBandwidth(threadCount: Int, passes: Int = 4, byteCount: Int = 512 << 20) -> Double {
    let pool = ThreadPool(threadCount: threadCount)
    let probe = ReadBandwidth(byteCount: byteCount)
    return (0..<passes).map { _ in probe.measure(pool) }.max() ?? 0
  }
}
