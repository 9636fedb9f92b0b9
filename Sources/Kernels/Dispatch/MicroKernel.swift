import CKernels

/// One C kernel on one instruction set, as `kernels.def` lists it.
public struct MicroKernel: Sendable {
  /// `<dtype>_<family>[_<tile>]__<isa>`
  public let name: String
  /// `linear_f32`, ...: kernels of one family compute the same.
  public let family: String
  public let isa: String
  public let requiredFeatures: CPUFeatures
  private let function: (@convention(c) () -> Void)?

  /// All kernels, also those of foreign instruction sets; per family the best instruction set last.
  public static let all: [MicroKernel] = {
    var count = 0
    let list = ck_kernel_list(&count)
    return UnsafeBufferPointer(start: list, count: count).map { MicroKernel($0) }
  }()

  private init(_ kernel: ck_kernel) {
    name = String(cString: kernel.name)
    family = String(cString: kernel.family)
    isa = String(cString: kernel.isa)
    requiredFeatures = CPUFeatures(rawValue: kernel.required_features)
    function = kernel.function
  }

  /// Whether it is for this processor architecture.
  public var isBuilt: Bool { function != nil }

  /// What it needs and this machine lacks.
  public var missingFeatures: CPUFeatures { requiredFeatures.subtracting(.current) }

  /// Whether this machine can run it.
  public var isRunnable: Bool { isBuilt && missingFeatures.isEmpty }

  /// Families in the order of the list.
  public static var families: [String] {
    var seen: Set<String> = []
    return all.map(\.family).filter { seen.insert($0).inserted }
  }

  /// The best kernel of a family that this machine can run and ``InstructionSet/variable`` allows.
  public static func best(_ family: String) -> MicroKernel { best(family, with: .usable) }

  static func best(_ family: String, with features: CPUFeatures) -> MicroKernel {
    let kernel = all.last {
      $0.family == family && $0.isRunnable && $0.requiredFeatures.isSubset(of: features)
    }
    guard let kernel else { preconditionFailure("there is no kernel family '\(family)'") }
    return kernel
  }

  /// The function, as the C function type of the kernel's family.
  public func pointer<Function>(as type: Function.Type) -> Function {
    guard isRunnable, let function else { preconditionFailure("'\(name)' cannot run on this machine") }
    return unsafeBitCast(function, to: type)
  }
}

extension MicroKernel: CustomStringConvertible {
  public var description: String { name }
}

/// The C function types of kernel families.
enum MicroKernelType {
  typealias Linear = @convention(c) (UnsafePointer<ck_linear_f32>) -> Void
  typealias LinearBF16 = @convention(c) (UnsafePointer<ck_linear_bf16>) -> Void
  typealias LinearF16 = @convention(c) (UnsafePointer<ck_linear_f16>) -> Void
  typealias LinearBlocks = @convention(c) (UnsafePointer<ck_linear_blocks>) -> Void
  typealias QuantizeRows = @convention(c) (UnsafePointer<ck_quantize_rows_f32>) -> Void
  typealias Scan = @convention(c) (UnsafePointer<ck_scan>) -> Void
  typealias Select = @convention(c) (Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<UInt32>) -> Void
  typealias WeightedSum = @convention(c) (UnsafePointer<ck_weighted_sum_f32>) -> Void
  typealias WeightedSumF16 = @convention(c) (UnsafePointer<ck_weighted_sum_f16>) -> Void
  typealias Narrow = @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<ck_f16>) -> Void
  typealias WeightedRows = @convention(c) (UnsafePointer<ck_weighted_rows>) -> Void
  typealias Map = @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  typealias Maximum = @convention(c) (Int, UnsafePointer<Float>) -> Float
  typealias ExpSum = @convention(c) (Int, UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>) -> Float
  typealias Scale = @convention(c) (Int, UnsafePointer<Float>, Float, UnsafeMutablePointer<Float>) -> Void
  typealias RMSNorm =
    @convention(c) (
      Int, UnsafePointer<Float>, UnsafePointer<Float>?, Float, UnsafeMutablePointer<Float>
    ) -> Void
}
