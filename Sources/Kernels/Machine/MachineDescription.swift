import CKernels
import Foundation

/// What this machine is and what kernels were chosen for it.
public struct MachineDescription: Sendable {
  /// The processor's own name; empty when it does not tell.
  public let processorName: String
  /// Processors that this process may run on.
  public let processorCount: Int
  /// Bytes of the last-level cache; 0 when the system does not tell.
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
    cacheByteCount = max(0, sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)), sysconf(Int32(_SC_LEVEL2_CACHE_SIZE)))
    features = .current
    kernels = MicroKernel.families.map { ($0, MicroKernel.best($0).name) }
    openBLAS = OpenBLAS.shared.map { ($0.coreName, $0.reason) }
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
