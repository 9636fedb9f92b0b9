import COpenBLAS
import Foundation

/// The host's OpenBLAS, loaded by hand so that its core type can be chosen first; single-threaded, as work is
/// cut up by ``ThreadPool``.
public struct OpenBLAS: Sendable {
  typealias SGEMM =
    @convention(c) (
      CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, Float, UnsafePointer<Float>?,
      blasint,
      UnsafePointer<Float>?, blasint, Float, UnsafeMutablePointer<Float>?, blasint
    ) -> Void

  /// The kernels it uses, as it names them: `SkylakeX`, `Zen`.
  public let coreName: String
  /// Why these: who chose the core type.
  public let reason: String
  let sgemm: SGEMM
  /// Factorizations, where the library holds them.
  public let factorizations: DenseFactorizations?
  private let setThreadCount: @convention(c) (Int32) -> Void

  /// Nil where the library is absent, which is said once on standard error.
  public static let shared: OpenBLAS? = {
    let library = OpenBLAS()
    if library == nil {
      FileHandle.standardError.write(
        Data("note: no \(fileName) found: large f32 products use built-in kernels\n".utf8))
    }
    return library
  }()

  private static let fileName = "libopenblas.so.0"
  private static let coreVariable = "OPENBLAS_CORETYPE"

  private init?() {
    reason = Self.chooseCore(.usable)
    // Its own threads would spin for a tenth of a second after loading; ours do the work.
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    guard let handle = dlopen(Self.fileName, RTLD_NOW | RTLD_LOCAL),
      let sgemm = dlsym(handle, "cblas_sgemm"),
      let setThreadCount = dlsym(handle, "openblas_set_num_threads"),
      let coreName = dlsym(handle, "openblas_get_corename")
    else { return nil }
    self.sgemm = unsafeBitCast(sgemm, to: SGEMM.self)
    factorizations = DenseFactorizations(handle)
    self.setThreadCount = unsafeBitCast(setThreadCount, to: (@convention(c) (Int32) -> Void).self)
    typealias CoreName = @convention(c) () -> UnsafePointer<CChar>?
    self.coreName = unsafeBitCast(coreName, to: CoreName.self)().map { String(cString: $0) } ?? "unknown"
    self.setThreadCount(1)
  }

  /// Debian's 0.3.21 takes CPUs newer than itself for the oldest of their kind, so with AVX-512 the core type
  /// is set, and also where an instruction set is forced; a value that the user has set stays.
  private static func chooseCore(_ features: CPUFeatures) -> String {
    if let value = ProcessInfo.processInfo.environment[coreVariable] {
      return "\(coreVariable)=\(value) is set"
    }
    let needed: CPUFeatures = [.avx512f, .avx512bw, .avx512vl, .avx512dq]
    if needed.isSubset(of: features) {
      setenv(coreVariable, "SkylakeX", 0)
      return "the CPU has AVX-512"
    }
    #if arch(x86_64)
      if features != .current {
        setenv(coreVariable, features.contains(.avx2) ? "Haswell" : "Nehalem", 0)
        return "\(InstructionSet.variable) is set"
      }
    #endif
    return "its own detection"
  }

  /// For comparison with its own threads only.
  public func withThreads<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    setThreadCount(Int32(count))
    defer { setThreadCount(1) }
    return try body()
  }

  /// y[m, n] = x[m, k] . w, where w is [n, k] (`transposed` false) or [k, n]; all rows `stride` elements
  /// apart.
  public func product(
    m: Int, n: Int, k: Int, _ x: UnsafePointer<Float>, _ xStride: Int, _ w: UnsafePointer<Float>,
    _ wStride: Int,
    transposed: Bool, _ y: UnsafeMutablePointer<Float>, _ yStride: Int
  ) {
    sgemm(
      CblasRowMajor, CblasNoTrans, transposed ? CblasNoTrans : CblasTrans, blasint(m), blasint(n), blasint(k),
      1,
      x, blasint(xStride), w, blasint(wStride), 0, y, blasint(yStride))
  }
}
