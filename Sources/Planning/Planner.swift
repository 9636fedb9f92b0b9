public import GraphIR
import Kernels
public import PlanFormat
public import Tensors

/// Lowers a module to a program: a step per node, slots for temporaries, packed weights.
///
/// 1. Constants become weights. One that is only needed transposed - a matrix of `linear`, or under a `transpose` -
///    is packed that way, so nothing is repacked at load; the same memory in the same layout is stored once.
/// 2. Nodes become steps in execution order.
/// 3. Caches that are appended to in place become states.
/// 4. Temporaries are placed in slots (see ``SlotAllocator``).
public struct Planner {
  /// A node that cannot be lowered.
  public struct Failure: Error, CustomStringConvertible, Sendable {
    public let message: String
    public var description: String { message }
  }

  /// A program whose weights are still to be written, and how to obtain each of them.
  public struct Result {
    public var program: Program
    public var weights: [(name: String, load: () -> Tensor)]
  }

  let module: Module

  public init(_ module: Module) { self.module = module }

  public func plan() throws(Failure) -> Result {
    var packer = WeightPacker(module.constants)
    var program = Program()
    for function in module.functions {
      program.functions.append(try FunctionPlanner(function, &packer).plan(&packer))
    }
    return Result(program: program, weights: packer.weights)
  }
}
