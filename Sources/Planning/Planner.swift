public import GraphIR
import Kernels
public import PlanFormat
public import Tensors

/// Lowers a module to a program: a step per node, slots for temporaries, packed weights.
///
/// 1. Constants become weights, and so does what is computed from constants alone (see ``ConstantSteps``): a matrix
///    that is only needed transposed is stored that way, so nothing is repacked at load. Equal weights are stored once.
/// 2. Nodes become steps in execution order.
/// 3. Caches that are appended to in place become states.
/// 4. Temporaries are placed in slots (see ``SlotAllocator``).
public struct Planner {
  /// A node that cannot be lowered.
  public struct Failure: Error, CustomStringConvertible, Sendable {
    public let message: String
    public var description: String { message }
  }

  /// A weight, computed when it is written: it may be an expression that cannot be evaluated.
  public typealias LazyWeight = (name: String, load: () throws(Failure) -> Tensor)

  /// A program whose weights are still to be written, and how to obtain each of them.
  public struct Result {
    public var program: Program
    public var weights: [LazyWeight]
  }

  let module: Module

  public init(_ module: Module) { self.module = module }

  public func plan() throws(Failure) -> Result {
    var packer = WeightPacker(module.constants)
    var program = Program()
    for function in module.functions {
      program.functions.append(try FunctionPlanner(function).plan(&packer))
    }
    return Result(program: program, weights: packer.weights)
  }
}
