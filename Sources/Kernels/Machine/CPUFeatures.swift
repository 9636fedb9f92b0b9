import CKernels
import Foundation

/// Instruction set extensions that kernels may need.
public struct CPUFeatures: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  init(_ feature: ck_feature) { self.init(rawValue: UInt32(feature.rawValue)) }

  public static let avx2 = CPUFeatures(CK_FEATURE_AVX2)
  public static let fma = CPUFeatures(CK_FEATURE_FMA)
  public static let f16c = CPUFeatures(CK_FEATURE_F16C)
  public static let avx512f = CPUFeatures(CK_FEATURE_AVX512F)
  public static let avx512bw = CPUFeatures(CK_FEATURE_AVX512BW)
  public static let avx512vl = CPUFeatures(CK_FEATURE_AVX512VL)
  public static let avx512dq = CPUFeatures(CK_FEATURE_AVX512DQ)
  public static let avx512vnni = CPUFeatures(CK_FEATURE_AVX512VNNI)
  public static let avx512bf16 = CPUFeatures(CK_FEATURE_AVX512BF16)
  public static let neon = CPUFeatures(CK_FEATURE_NEON)
  public static let dotprod = CPUFeatures(CK_FEATURE_DOTPROD)

  /// The features of this machine.
  public static let current = CPUFeatures(rawValue: ck_cpu_features())

  private static let names: [(CPUFeatures, String)] = [
    (.avx2, "avx2"), (.fma, "fma"), (.f16c, "f16c"), (.avx512f, "avx512f"), (.avx512bw, "avx512bw"),
    (.avx512vl, "avx512vl"), (.avx512dq, "avx512dq"), (.avx512vnni, "avx512vnni"),
    (.avx512bf16, "avx512bf16"),
    (.neon, "neon"), (.dotprod, "dotprod"),
  ]

  /// Their usual lower-case names.
  public var names: [String] { Self.names.filter { contains($0.0) }.map(\.1) }
}
