public import GraphIR

/// Removes nodes whose results nobody reads, and constants that no function uses.
public struct EliminateDeadCode: Pass {
  public let name = "eliminate-dead-code"
  public let summary = "Removes nodes and constants that no output depends on."
  public let fidelity = Fidelity.exact

  public init() {}

  public func run(on module: inout Module, context: inout PassContext) throws {
    for index in module.functions.indices {
      context.count("nodes", by: module.functions[index].graph.removeDeadNodes())
    }
    let before = module.constants.count
    module.removeUnusedConstants()
    context.count("constants", by: before - module.constants.count)
  }
}
